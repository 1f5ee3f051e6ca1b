"""The ways out: Slack, e-mail, a webhook. One attempt each, bounded in time.

What went wrong is a class, such as `http_500`: texts of errors hold addresses, and these are
secrets. Libraries are imported where they are used: the code location is loaded often.
"""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from pydantic import SecretStr

from orchestration.publishing.alerts import Message
from orchestration.publishing.notification_texts import Section, Text, text_of
from orchestration.settings import AlertSettings

_LONGEST_WAIT = timedelta(hours=1)
# Slack refuses a whole message for one block that is longer, escapes included.
_HEADER_CHARACTERS = 150
_BLOCK_CHARACTERS = 3_000
_TOO_BUSY = {429, 503}


class NotDelivered(Exception):
    """The message did not arrive, as far as is known. `wait`: how long the receiver asks for."""

    def __init__(self, error_class: str, wait: timedelta | None = None) -> None:
        super().__init__(error_class)
        self.error_class = error_class
        self.wait = wait


def send(message: Message, channel: str, settings: AlertSettings) -> str | None:
    """Make one attempt. Returns the class of what went wrong for some recipients of an e-mail that
    others got. Raises NotDelivered."""
    try:
        return asyncio.run(_send(message, channel, settings))
    except TimeoutError:
        raise NotDelivered("timeout") from None
    except UnicodeError:  # a host whose labels are empty or too long
        raise NotDelivered("address") from None


async def _send(message: Message, channel: str, settings: AlertSettings) -> str | None:
    async with asyncio.timeout(settings.timeout_seconds):
        if channel == "email":
            return await _send_email(email(message, settings), settings)
        if channel == "slack":
            await _post(settings.slack_webhook_url, slack(message, settings), {})
        else:
            body = webhook(message)
            await _post(
                settings.webhook_url, body, signed(message, body, settings, datetime.now(UTC))
            )
    return None


async def _post(url: SecretStr | None, body: bytes, headers: Mapping[str, str]) -> None:
    import aiohttp

    if url is None:
        raise NotDelivered("not_set")
    address = url.get_secret_value()
    headers = {"Content-Type": "application/json", "User-Agent": "supplier-risk", **headers}
    try:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.post(address, data=body, headers=headers, allow_redirects=False) as response,
        ):
            if not 200 <= response.status < 300:
                wait = _wait(response.headers) if response.status in _TOO_BUSY else None
                raise NotDelivered(f"http_{response.status}", wait)
    except (aiohttp.ClientSSLError, ssl.SSLError):
        raise NotDelivered("tls") from None
    except aiohttp.InvalidURL:
        raise NotDelivered("address") from None
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise NotDelivered("connection") from None


def _wait(headers: Mapping[str, str]) -> timedelta | None:
    asked = headers.get("Retry-After", "").strip()
    if not (asked.isascii() and asked.isdecimal()):
        return None
    return min(timedelta(seconds=min(int(asked[:9]), 86_400)), _LONGEST_WAIT)


def slack(message: Message, settings: AlertSettings) -> bytes:
    """The body for an incoming webhook of Slack: plain text blocks, in which nothing is markup."""
    text = text_of(message, settings.max_lines)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(text.subject, _HEADER_CHARACTERS)}
    ]
    for section in text.sections:
        blocks.append({"type": "section", "text": _plain(section.text, _BLOCK_CHARACTERS)})
        if links := _slack_links(section.links):
            blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": links}]})
    # `text` is what a phone shows, and is read as markup: it holds no quote
    body = {
        "text": _escaped(text.subject),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return json.dumps(body).encode()


def _slack_links(links: Sequence[tuple[str, str]]) -> str:
    """Side by side, as many as fit."""
    line = ""
    for label, url in links:
        longer = f"{line} · " if line else ""
        longer += f"<{_escaped(url)}|{_escaped(label)}>"
        if len(longer) <= _BLOCK_CHARACTERS:
            line = longer
    return line


def _plain(text: str, longest: int) -> dict[str, Any]:
    """Text that is no markup, cut where its escapes would make it too long."""
    escaped = [_escaped(character) for character in text]
    if sum(map(len, escaped)) > longest:
        lengths = itertools.accumulate(map(len, escaped))
        kept = itertools.takewhile(
            lambda pair: pair[1] < longest, zip(escaped, lengths, strict=True)
        )
        escaped = [*(character for character, _ in kept), "…"]
    return {"type": "plain_text", "text": "".join(escaped), "emoji": False}


def _escaped(text: str) -> str:
    """Slack's three control characters; without them there is no mention, link or command."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def webhook(message: Message) -> bytes:
    """All fields of all alerts, as JSON in UTF-8."""
    body = {
        "message_id": str(message.message_id),
        "kind": message.kind,
        "created_at": message.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        "alerts": [asdict(alert) for alert in message.alerts],
    }
    return json.dumps(body, ensure_ascii=False, default=dict).encode()


def signed(message: Message, body: bytes, settings: AlertSettings, now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification, and Idempotency-Key; without
    ALERTS_WEBHOOK_SECRET no signature."""
    key, seconds = str(message.message_id), str(int(now.timestamp()))
    headers = {"Idempotency-Key": key, "webhook-id": key, "webhook-timestamp": seconds}
    if settings.webhook_secret is None:
        return headers
    secret = _secret_bytes(settings.webhook_secret.get_secret_value())
    mac = hmac.new(secret, f"{key}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {**headers, "webhook-signature": f"v1,{base64.b64encode(mac).decode()}"}


def _secret_bytes(secret: str) -> bytes:
    """`whsec_` stands before bytes in base64; anything else is taken as it is."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:  # other characters than ASCII, or no base64
            raise NotDelivered("secret") from None
    return secret.encode()


def email(message: Message, settings: AlertSettings) -> EmailMessage:
    """Plain text: nothing in it is markup."""
    text: Text = text_of(message, settings.max_lines)
    sender = settings.email_from or ""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, settings.email_to
    mail["Subject"] = text.subject
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{message.message_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(map(_paragraph, text.sections)) + "\n")
    return mail


def _paragraph(section: Section) -> str:
    return "\n".join([section.text, *(f"{label}: {url}" for label, url in section.links)])


async def _send_email(mail: EmailMessage, settings: AlertSettings) -> str | None:
    """Whom the server refused beside others is not asked for again: these would get it twice."""
    import aiosmtplib

    password = settings.smtp_password
    try:
        refused, _ = await aiosmtplib.send(
            mail,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=settings.timeout_seconds,
            local_hostname=socket.gethostname(),  # else it asks DNS, and waits
        )
    except aiosmtplib.SMTPTimeoutError:
        raise NotDelivered("timeout") from None
    except aiosmtplib.SMTPResponseException as error:
        raise NotDelivered(f"smtp_{error.code}") from None
    except aiosmtplib.SMTPRecipientsRefused:
        raise NotDelivered("recipients_refused") from None
    except ssl.SSLError:
        raise NotDelivered("tls") from None
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, OSError):
        raise NotDelivered("connection") from None
    except aiosmtplib.SMTPException:
        raise NotDelivered("smtp") from None
    return "some_recipients_refused" if refused else None
