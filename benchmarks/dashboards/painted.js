// Watches a dashboard from its first moment and says to the console, in ms since the navigation
// began, when all charts were painted of which the screen shows half or more without scrolling
// (first), and when all were (whole). A frame is on the screen when the next one begins.
(() => {
  const painted = {first: null, whole: null, wrong: []}
  const drawn = holder => holder.querySelector(
    'canvas, tbody td, .superset-legacy-chart-world-map svg path, .header-line, .ant-empty')
  const wrong = holder => holder.querySelector('.ant-alert-error, [data-test="error-message"]')
  const waits = holder => holder.querySelector('.loading, [data-test="loading-indicator"]')
  const done = holder => wrong(holder) || (drawn(holder) && !waits(holder))
  const onScreen = holder => {
    const box = holder.getBoundingClientRect()
    return (box.top + box.bottom) / 2 < window.innerHeight
  }

  const look = () => {
    const holders = [...document.querySelectorAll('.dashboard-component-chart-holder')]
      .filter(holder => holder.querySelector('.slice_container, .chart-slice'))
    const waiting = holders.filter(holder => !done(holder))
    if (holders.length && !painted.first && !waiting.some(onScreen)) {
      requestAnimationFrame(() => { painted.first ??= performance.now() })
    }
    if (holders.length && !waiting.length) {
      painted.wrong = holders.filter(wrong).map(holder => holder.innerText.slice(0, 300))
      requestAnimationFrame(() => {
        painted.whole = performance.now()
        console.debug('painted: ' + JSON.stringify(painted))
      })
    } else {
      requestAnimationFrame(look)
    }
  }
  requestAnimationFrame(look)
})()
