"""What is asked of somebody who protects an account."""

from django import forms

from runbooks.directory.models import Protection


class ProtectionForm(forms.Form):
    kind = forms.ChoiceField(
        label="What it is", choices=Protection.Kind.choices, widget=forms.Select(attrs={"class": "select"})
    )
    reason = forms.CharField(
        label="Why",
        max_length=400,
        widget=forms.TextInput(attrs={"class": "input"}),
        help_text="Shown to whoever asks for an action, and to whoever approves it.",
    )
