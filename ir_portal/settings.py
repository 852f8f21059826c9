"""The one settings file. Everything that differs between sites is read from the environment."""

from pathlib import Path

from csp.constants import NONE, SELF

from ir_portal import embedded, environment, messaging

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = embedded.run_dir()
VERSION = "0.1.0"

# What runs where
DEBUG = environment.boolean("DEBUG", default=False)
SECRET_KEY = environment.kept_secret("SECRET_KEY", RUN_DIR)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")
HTTPS = environment.boolean("HTTPS", default=False)
DATABASES = {"default": environment.database(embedded.database_url())}
REDIS_URL = embedded.redis_url()
CACHES = {"default": {"BACKEND": "ir_portal.cache.Cache", "LOCATION": REDIS_URL}}
# Whether counts of an incident are kept while it does not change; 0 counts them for every page.
SNAPSHOTS = environment.boolean("SNAPSHOTS", default=True)
ROOT_URLCONF = "ir_portal.urls"
WSGI_APPLICATION = "ir_portal.wsgi.application"
ASGI_APPLICATION = "ir_portal.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "rest_framework",
    # After auth, whose groups its admin takes away.
    "runbooks",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "runbooks.middleware.PrivacyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "runbooks.middleware.SizeMiddleware",
    "runbooks.middleware.AddressMiddleware",
    "runbooks.middleware.DomainErrorMiddleware",
    "runbooks.middleware.ReadingLogMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["runbooks.templatetags.portal", "runbooks.templatetags.room"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Language and time: kept in UTC, shown in the incident's zone. The portal speaks English; the staff pages speak what
# their address says, and nothing else switches a language on.
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("cy", "Cymraeg")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
INSTITUTION_TIME_ZONE = environment.text("INSTITUTION_TIME_ZONE", "Europe/London")
INSTITUTION_NAME = environment.text("INSTITUTION_NAME", "Parliament (fictitious)")
# Mail at these domains is never used to reach a responder: it may be what the attacker reads.
INSTITUTION_MAIL_DOMAINS = environment.words("INSTITUTION_MAIL_DOMAINS", "parliament.example")
PORTAL_URL = environment.text("PORTAL_URL", "http://localhost:8000")

# Files
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = RUN_DIR / "media"
FILE_UPLOAD_PERMISSIONS = 0o600
ATTACHMENT_MAX_BYTES = environment.integer("ATTACHMENT_MAX_MB", 100) * 1_000_000
# Media types, by content, that nobody attaches as they are: docs/evidence.md.
ATTACHMENT_REFUSED = environment.words(
    "ATTACHMENT_REFUSED",
    "application/vnd.microsoft.portable-executable,application/x-elf,application/x-mach-binary",
)
DIRECTORY_FILE_MAX_BYTES = environment.integer("DIRECTORY_FILE_MAX_BYTES", 200 * 1024 * 1024)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
# The largest file with the form around it; before anybody signs in, a form and nothing more.
REQUEST_MAX_BYTES = max(ATTACHMENT_MAX_BYTES, DIRECTORY_FILE_MAX_BYTES) + 1024 * 1024
STRANGER_REQUEST_MAX_BYTES = 64 * 1024
ANSWER_MAX_BYTES = 1024 * 1024

# Signing in
AUTH_USER_MODEL = "runbooks.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "incident_list"
ACCOUNT_ADAPTER = "runbooks.access.sign_in.ClosedAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PRESERVE_USERNAME_CASING = False
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
# What was done to which account is said once; in a cookie it would wait on the machine for whoever sits there next.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = environment.integer("SESSION_HOURS", 12) * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
# Proxies of one's own in front: else all people share their address, and one who guesses locks out everybody.
ALLAUTH_TRUSTED_PROXY_COUNT = environment.integer("TRUSTED_PROXIES", 0)

# Headers
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$"]  # asked from inside, without the proxy
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# Work in the background
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Waking a worker happens while a person waits for a page: with a dead broker that costs 6 s a wake-up by default.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "socket_connect_timeout": 2,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep-notifications": {"task": "notifications.deliver", "schedule": 15.0, "options": {"expires": 15}},
    "send-contact-codes": {"task": "notifications.send_codes", "schedule": 15.0, "options": {"expires": 15}},
    "move-chains": {"task": "reminders.chains", "schedule": 15.0, "options": {"expires": 15}},
    "remind": {"task": "reminders.remind", "schedule": 30.0, "options": {"expires": 30}},
    "watch": {"task": "reminders.watch", "schedule": 30.0, "options": {"expires": 30}},
    "sweep-confirmations": {"task": "confirmations.sweep", "schedule": 15.0, "options": {"expires": 15}},
    "watch-passwords": {"task": "confirmations.watch", "schedule": 60.0, "options": {"expires": 60}},
    "look-for-probes": {"task": "confirmations.probes", "schedule": 30.0, "options": {"expires": 30}},
    "sweep-actions": {"task": "actions.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "sign-checkpoints": {"task": "exports.checkpoints", "schedule": 300.0, "options": {"expires": 300}},
    "send-to-witnesses": {"task": "exports.witness", "schedule": 15.0, "options": {"expires": 15}},
    "ask-for-time-stamps": {"task": "exports.stamp", "schedule": 30.0, "options": {"expires": 30}},
    "verify-chains": {"task": "exports.verify_due", "schedule": 900.0, "options": {"expires": 900}},
    "sweep-subscriptions": {"task": "subscriptions.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "forget-redacted-calls": {"task": "subscriptions.forget", "schedule": 60.0, "options": {"expires": 60}},
    "make-exports-left": {"task": "exports.make_left", "schedule": 30.0, "options": {"expires": 30}},
}

# Mail to responders, at their own addresses outside the affected system
EMAIL_HOST = environment.text("EMAIL_HOST", "127.0.0.1")
EMAIL_PORT = environment.integer("EMAIL_PORT", embedded.mail_port())
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD")
# Over SMTP or through a provider's API (ANYMAIL_*): docs/channels.md.
EMAIL_BACKEND = messaging.mail_backend("EMAIL_BACKEND", "runbooks.notifications.channels.smtp.Backend")
# STARTTLS, or TLS from the first byte; the authority to trust instead of the system's.
EMAIL_USE_TLS = environment.boolean("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = environment.boolean("EMAIL_USE_SSL", default=False)
messaging.not_both("EMAIL_USE_TLS", "EMAIL_USE_SSL")
EMAIL_CA_FILE = environment.text("EMAIL_CA_FILE")
EMAIL_TIMEOUT = 10
ANYMAIL = messaging.anymail()
if EMAIL_BACKEND.startswith("anymail."):
    INSTALLED_APPS.append("anymail")
# Whether mail goes to the demonstration's sink, whose messages every signed-in person may then read at /mail-sink/.
MAIL_SINK = environment.boolean("MAIL_SINK", default=False)
# How soon a notice that did not leave is tried again; each further attempt waits twice as long, up to an hour.
NOTICE_RETRY_SECONDS = environment.integer("NOTICE_RETRY_SECONDS", 30)
DEFAULT_FROM_EMAIL = messaging.sender("DEFAULT_FROM_EMAIL", "IR Portal <ir-portal@portal.example>")

# Identity systems, by name: docs/connectors.md. Named for this portal's people and its exercises, more from the site.
CONNECTIONS: dict[str, dict[str, object]] = {
    "people": {"connector": "manual"},
    "exercise": {"connector": "simulated"},
    **environment.entries("CONNECTIONS"),
}
# Networks that are not public and may be called over HTTP all the same, such as the one of the directory's servers.
OUTBOUND_PRIVATE_NETWORKS = environment.networks("OUTBOUND_PRIVATE_NETWORKS")

# What checkpoints and bundles are signed with: docs/seal.md. The file is read each time: a rotation needs no restart.
SIGNING_KEY = environment.alone("SIGNING_KEY")
SIGNING_KEY_FILE = environment.alone("SIGNING_KEY_FILE")
# The time-stamping authority (RFC 3161) and the certificates to trust it by; empty: none.
TSA_URL = environment.text("TSA_URL")
TSA_CA_FILE = environment.text("TSA_CA_FILE")

# Networks of the institution, from which strangers' guesses cannot keep its holders: docs/codes.md.
OWN_NETWORKS = environment.networks("OWN_NETWORKS")
# Where holders type their codes; the portal's own address where nothing else is known to them.
HOLDER_URL = environment.text("HOLDER_URL", PORTAL_URL)
# The service desk's, for holders; without it they are told the number on the back of their pass.
DESK_TELEPHONE = environment.text("DESK_TELEPHONE")
# What letters and messages are written in where nothing is known of a holder.
HOLDER_LANGUAGE = environment.choice("HOLDER_LANGUAGE", "en-gb", "en-gb", "cy")

# What carries text messages to holders, from TEXT_GATEWAY and TEXT_GATEWAY_TOKEN: docs/letters.md. Empty: none.
TEXT_GATEWAY = environment.gateway("TEXT_GATEWAY")

# How notices leave besides: docs/channels.md. What people choose from, and what each channel needs to be one.
NOTICE_CHANNELS = messaging.channels("NOTICE_CHANNELS")
# Networks that are not public, and in which addresses lie that people type: of a Mattermost of the site's own, say.
NOTICE_PRIVATE_NETWORKS = environment.networks("NOTICE_PRIVATE_NETWORKS")
TWILIO = messaging.twilio()
TEXT_PROVIDER = messaging.text_provider(TEXT_GATEWAY, TWILIO)
SLACK_TOKEN = environment.text("SLACK_TOKEN")
SLACK_URL = messaging.address("SLACK_URL", "https://slack.com/api")
MATRIX_HOMESERVER = messaging.address("MATRIX_HOMESERVER")
MATRIX_TOKEN = environment.text("MATRIX_TOKEN")
messaging.both_or_neither("MATRIX_HOMESERVER", "MATRIX_TOKEN")
# The server of topics to which the token belongs; other servers' topics are used without one.
NTFY_URL = messaging.address("NTFY_URL", "https://ntfy.sh")
NTFY_TOKEN = environment.text("NTFY_TOKEN")
# Servers of the site's own that Apprise may speak to, besides services whose address is known.
APPRISE_HOSTS = environment.words("APPRISE_HOSTS")

# Calls to subscribed systems, docs/subscriptions.md: the seconds between attempts, and those a receiver may take.
SUBSCRIPTION_WAITS = environment.waits("SUBSCRIPTION_WAITS", "5,30,300,1800,7200,21600,43200", 86400)
SUBSCRIPTION_TIMEOUT = environment.within("SUBSCRIPTION_TIMEOUT", 15, 1, 60)

# An outside monitor that misses the watchdog's heartbeat, as healthchecks.io gives one: docs/escalation.md. It hears
# when all is well, and at the same address with /fail when something is not. Empty: nobody outside is told.
HEARTBEAT_URL = messaging.address("HEARTBEAT_URL")

# How long a request for a second person stands.
APPROVAL_MINUTES = environment.integer("APPROVAL_MINUTES", 30)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "runbooks.api.problem",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": environment.text("LOG_LEVEL", "INFO")},
    # These write every address that is called, with the logins in it.
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Keeps what it logs for whoever called it; answers may repeat the message.
        "apprise": {"level": "WARNING", "handlers": ["nowhere"], "propagate": False},
    },
}
