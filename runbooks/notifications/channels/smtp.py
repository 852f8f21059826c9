"""Django's SMTP backend, which besides knows whether a mail may have arrived when the line breaks off."""

import re
import smtplib
import ssl
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property

# Servers look for viruses before they answer the last dot. RFC 5321 4.5.3.2.6 would wait ten minutes, a lease does not.
VERDICT_SECONDS: Final = 30.0
LINE_END: Final = re.compile(rb"\r\n|\r|\n")
LEADING_DOT: Final = re.compile(rb"(?m)^\.")


class _Truthful(smtplib.SMTP):
    # The last mail was said whole, with its final dot, and nothing was heard.
    may_have_arrived = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        """RFC 5321 4.1.1.4, as smtplib does it. No line of the mail's own can end it: RFC 5321 4.5.2."""
        self.may_have_arrived = False
        self.putcmd("data")
        code, said = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, said)
        content = msg.encode("ascii") if isinstance(msg, str) else msg
        content = LEADING_DOT.sub(b"..", LINE_END.sub(b"\r\n", content))
        self.send(content + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        self.may_have_arrived = True
        if self.sock is not None:
            self.sock.settimeout(VERDICT_SECONDS)
        answer = self.getreply()
        self.may_have_arrived = False
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        return answer


class _TruthfulOverTLS(_Truthful, smtplib.SMTP_SSL):
    pass


class Enveloped(EmailMessage):
    """A mail that knows what a server is told of it, so that nothing is worked out for each of thousands."""

    def envelope(self) -> tuple[str, str, bytes]:
        """Sender, recipient, and all of the mail."""
        raise NotImplementedError


class Backend(EmailBackend):
    """The setting EMAIL_CA_FILE is the authority to trust instead of the system's."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        known = [mail for mail in email_messages if isinstance(mail, Enveloped)]
        if self.connection is None or len(known) < len(email_messages):
            return super().send_messages(email_messages) or 0
        for mail in known:
            sender, recipient, content = mail.envelope()
            self.connection.sendmail(sender, [recipient], content)
        return len(known)

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _TruthfulOverTLS if self.use_ssl else _Truthful

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=settings.EMAIL_CA_FILE or None)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context
