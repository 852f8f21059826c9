"""One connection for many mails, opened again when it breaks between two of them."""

from contextlib import suppress
from smtplib import SMTP, SMTPServerDisconnected
from typing import Any, Final

from django.core.mail import get_connection

from runbooks.notifications.channels.base import BadAddressError, ChannelError, Message, Reason, Sent
from runbooks.notifications.channels.mail_faults import FAULTS, fault_of
from runbooks.notifications.channels.mails import Mail, mail_address, written

MOST_TEXTS: Final = 16


class MailLine:
    def __init__(self) -> None:
        self._backend: Any = None
        self._has_carried = False
        self._texts: dict[tuple[object, ...], bytes] = {}

    def open(self) -> None:
        """Nothing where it is open. Raises ChannelError."""
        try:
            self._backend = self._backend or get_connection()
            if self._backend.open():
                self._has_carried = False
        except FAULTS as error:
            self.close()  # of what was opened half-way
            raise fault_of(error, may_have_arrived=False) from error

    def close(self) -> None:
        # The server has answered by now: trouble in saying goodbye changes nothing.
        with suppress(OSError):
            if self._backend is not None:
                self._backend.close()

    def send(self, message: Message) -> Sent:
        """A server that ends the line between two mails, as many do after some number, is called once more."""
        mail = self._mail(message)
        while True:
            self.open()
            try:
                self._backend.send_messages([mail])
            except FAULTS as error:
                fault = fault_of(error, may_have_arrived=self._may_have_arrived())
                was_ended = self._is_over(error)
                if was_ended:
                    self.close()
                if not (was_ended and self._has_carried) or fault.may_have_arrived or fault.permanent:
                    raise fault from error
            else:
                self._has_carried = True
                return Sent(_taken(mail))

    def _mail(self, message: Message) -> Mail:
        try:
            address = mail_address(message.address)
        except BadAddressError as error:
            raise ChannelError(str(error), permanent=True, reason=Reason.ADDRESS_REFUSED) from error
        text = (message.subject, message.body, message.is_exercise, message.is_important)
        if len(self._texts) > MOST_TEXTS:
            self._texts.clear()
        try:
            if text not in self._texts:
                self._texts[text] = written(message)
            return Mail(message, address, self._texts[text])
        except FAULTS as error:
            raise fault_of(error, may_have_arrived=False) from error

    def _may_have_arrived(self) -> bool:
        """Whether the mail had been said whole. A backend that cannot tell is not trusted to have stopped before."""
        return bool(getattr(getattr(self._backend, "connection", None), "may_have_arrived", True))

    def _is_over(self, error: Exception) -> bool:
        connection = getattr(self._backend, "connection", None)
        return isinstance(error, SMTPServerDisconnected) or (isinstance(connection, SMTP) and connection.sock is None)


def _taken(mail: Any) -> str:
    """What a provider calls it, by which it tells later what became of it; else the mail's own id.

    Raises ChannelError where the provider made no fault and did not take it either: Anymail lets some of those pass.
    """
    status = getattr(mail, "anymail_status", None)
    if status is None:
        return str(mail.extra_headers["Message-ID"])
    if not status.message_id and not {"sent", "queued"} & set(status.status or ()):
        sentence = "The mail provider did not take the mail for this address."
        raise ChannelError(sentence, permanent=True, reason=Reason.ADDRESS_REFUSED)
    return str(status.message_id or mail.extra_headers["Message-ID"])
