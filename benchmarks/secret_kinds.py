"""Made secrets of many kinds, each in the forms in which sessions show it. None was ever valid.

`{A20}` stands for 20 made characters of a class: A letters and digits, a the same in lower case, U in upper case,
B base32 upper case, h hexadecimal, d digits, w letters, digits, `_` and `-`, b base64, p a password, g a UUID.
In a form, `{X}` is the secret and `{N}` a variable that it is assigned to.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

_LETTERS = string.ascii_letters + string.digits
_CLASSES = {
    "A": _LETTERS,
    "a": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "B": string.ascii_uppercase + "234567",
    "h": "0123456789abcdef",
    "d": string.digits,
    "w": _LETTERS + "_-",
    "b": _LETTERS + "+/",
}

BARE = (
    "here it is {X} thanks",
    "client = Client('{X}')",
    "curl https://api.example.com/v1/items?key={X}",
    "the log says: invalid credential {X}.",
)
NAMED = (
    "export {N}={X}",
    "{N}='{X}' npm run deploy",
    '{{"env": {{"{N}": "{X}"}}}}',
    "  {N}: {X}\n  REGION: eu-west-1",
    'os.environ["{N}"] = "{X}"',
    "const {N} = `{X}`;",
)
EVERYWHERE = BARE + NAMED


class Kind(NamedTuple):
    name: str
    secret: str
    forms: tuple[str, ...]
    variable: str = "SERVICE_TOKEN"


TOKENS = """
anthropic-api sk-ant-api03-{w93}AA
anthropic-admin sk-ant-admin01-{w93}AA
anthropic-oauth sk-ant-oat01-{w93}AA
openai-legacy sk-{A20}T3BlbkFJ{A20}
openai-project sk-proj-{w74}T3BlbkFJ{w74}
openrouter sk-or-v1-{h64}
deepseek sk-{h32}
xai xai-{A80}
perplexity pplx-{A48}
replicate r8_{A37}
groq gsk_{A52}
huggingface hf_{A34}
fireworks fw_{A24}
cerebras csk-{a48}
nvidia nvapi-{w64}
langsmith lsv2_pt_{h32}_{h10}
langfuse sk-lf-{g}
tavily tvly-{A32}
firecrawl fc-{h32}
elevenlabs sk_{h48}
jina jina_{h32}{w28}
voyage pa-{w43}
google-api AIza{w35}
google-client-secret GOCSPX-{w28}
google-access ya29.{w60}
google-refresh 1//0{w63}
aws-access AKIA{B16}
aws-temporary ASIA{B16}
aws-bedrock ABSK{b109}=
azure-client-secret {A3}8Q~{w34}
digitalocean dop_v1_{h64}
github-classic ghp_{A36}
github-fine github_pat_{A22}_{A59}
github-server ghs_{A36}
gitlab-personal glpat-{w20}
gitlab-routable glpat-{w27}.01.{a9}
gitlab-runner glrt-{w20}
gitlab-feed glft-{w20}
bitbucket ATBB{A32}
atlassian ATATT3xFfGF0{w170}={h8}
slack-bot xoxb-{d12}-{d12}-{A24}
slack-app xapp-1-A{U10}-{d13}-{h64}
slack-webhook https://hooks.slack.com/services/T{U8}/B{U10}/{A24}
discord-webhook https://discord.com/api/webhooks/{d18}/{w68}
discord-bot M{A23}.G{w5}.{w38}
teams-webhook https://acme.webhook.office.com/webhookb2/{g}@{g}/IncomingWebhook/{h32}/{g}
telegram {d10}:AA{w33}
stripe-live sk_live_{A99}
stripe-restricted rk_live_{A99}
stripe-webhook whsec_{A32}
square EAAA{w60}
square-secret sq0csp-{w43}
shopify shpat_{h32}
shopify-secret shpss_{h32}
npm npm_{A36}
pypi pypi-AgEIcHlwaS5vcmc{w100}
rubygems rubygems_{h48}
crates cio{A32}
nuget oy2{a43}
clojars CLOJARS_{h60}
docker dckr_pat_{w27}
docker-organization dckr_oat_{w32}
vault hvs.{w90}
vault-batch hvb.{w138}
terraform {A14}.atlasv1.{w64}
doppler dp.pt.{A43}
doppler-service dp.st.prd.{A40}
onepassword ops_eyJ{b252}
linear lin_api_{A40}
notion ntn_{d11}{A35}
notion-old secret_{A43}
airtable pat{A14}.{h64}
asana 1/{d16}:{h32}
figma figd_{w40}
databricks dapi{h32}
grafana-service glsa_{A32}_{h8}
grafana-cloud glc_eyJ{b80}
grafana-api eyJrIjoi{b72}
sentry-org sntrys_eyJ{b120}_{b43}
sentry-user sntryu_{h64}
newrelic-user NRAK-{U27}
newrelic-ingest {h36}NRAL
dynatrace dt0c01.{U24}.{U64}
honeycomb hcaik_01{a56}
posthog phx_{A43}
launchdarkly sdk-{g}
supabase sbp_{h40}
supabase-secret sb_secret_{w22}_{A8}
planetscale pscale_tkn_{w43}
planetscale-password pscale_pw_{w43}
neon napi_{a64}
tailscale tskey-auth-{A17}-{A32}
flyio fo1_{w43}
flyio-macaroon fm2_{b120}
render rnd_{A32}
netlify nfp_{A36}
heroku HRKU-AA{w58}
cloudflare-origin v1.0-{h24}-{h146}
mailgun key-{h32}
mailchimp {h32}-us12
sendgrid SG.{w22}.{w43}
brevo xkeysib-{h64}-{A16}
resend re_{A8}_{A24}
postman PMAK-{h24}-{h34}
pulumi pul-{h40}
buildkite bkua_{h40}
circleci CCIPAT_{A22}_{h40}
jfrog AKCp{A69}
sonarqube sqp_{h40}
contentful CFPAT-{w43}
typeform tfp_{w44}_{w14}
easypost EZAK{A54}
duffel duffel_live_{w43}
flutterwave FLWSECK_TEST-{h32}-X
plaid access-production-{g}
mapbox sk.eyJ{w80}.{w22}
age AGE-SECRET-KEY-1{B58}
jwt eyJ{A34}.eyJ{A90}.{w43}
facebook EAA{A120}
dropbox sl.{w135}
adobe p8e-{a32}
alibaba LTAI{A20}
prefect pnu_{a36}
readme rdme_{a70}
scalingo tk-us-{w48}
frameio fio-u-{w64}
"""

# Nothing in the value itself says that it is a secret; the name does.
VALUES = """
aws-secret {b40} AWS_SECRET_ACCESS_KEY
datadog {h32} DATADOG_API_KEY
datadog-app {h40} DD_APP_KEY
cloudflare {w40} CLOUDFLARE_API_TOKEN
twilio {h32} TWILIO_AUTH_TOKEN
mistral {A32} MISTRAL_API_KEY
cohere {A40} COHERE_API_KEY
wandb {h40} WANDB_API_KEY
snyk {g} SNYK_TOKEN
pinecone {g} PINECONE_API_KEY
algolia {h32} ALGOLIA_ADMIN_KEY
okta 00{w40} OKTA_API_TOKEN
vercel {A24} VERCEL_TOKEN
codecov {g} CODECOV_TOKEN
pagerduty u+{w18} PAGERDUTY_TOKEN
azure-openai {h32} AZURE_OPENAI_KEY
django django-insecure-{A40} SECRET_KEY
rails {h128} SECRET_KEY_BASE
laravel base64:{b43}= APP_KEY
nextauth {b43}= NEXTAUTH_SECRET
jwt-secret {A32} JWT_SECRET
session-secret {h64} SESSION_SECRET
encryption {b43}= ENCRYPTION_KEY
database {p} DB_PASSWORD
postgres {p} POSTGRES_PASSWORD
smtp {p} SMTP_PASS
redis {p} REDIS_PASSWORD
root {p} MYSQL_ROOT_PASSWORD
"""

# Secrets that one form or few show.
FORMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "flag-token",
        "{A24}",
        ("deploy --token {X} --yes", "deploy --token={X}", 'deploy --auth-token "{X}"'),
    ),
    (
        "flag-api-key",
        "{h32}",
        ("sync --api-key {X}", "sync --api_key='{X}' --all", "sync --apikey {X}"),
    ),
    (
        "flag-secret",
        "{A30}",
        ("app --client-secret {X}", "app --secret={X} up", "app --secret-key {X}"),
    ),
    ("flag-password", "{p}", ("db --password {X} -h db", "db --password={X}", "db --passwd '{X}'")),
    (
        "curl-user",
        "{p}",
        ("curl -u ada:{X} https://x.org/", "curl -sS --user 'ada:{X}' https://x.org"),
    ),
    ("mysql-flag", "{p}", ("mysql -u root -p{X} shop", "mysqldump -uroot -p'{X}' shop > a.sql")),
    (
        "sshpass",
        "{p}",
        ("sshpass -p {X} ssh ada@host", "sshpass -p '{X}' scp a ada@host:", "sshpass -p{X} ssh h"),
    ),
    (
        "docker-login",
        "{p}",
        ("docker login -u ada -p {X} ghcr.io", "podman login -p '{X}' -u ada quay.io"),
    ),
    (
        "password-stdin",
        "{p}",
        ("echo {X} | docker login -u ada --password-stdin", "echo '{X}' | sudo -S apt update"),
    ),
    (
        "pgpassword",
        "{p}",
        ("PGPASSWORD={X} psql -h db", "MYSQL_PWD='{X}' mysql shop", 'PGPASSWORD="{X}" psql'),
    ),
    ("redis-cli", "{p}", ("redis-cli -h db -a {X} ping", "redis-cli -a '{X}' --no-auth-warning")),
    (
        "mongo-flag",
        "{p}",
        ("mongosh -u ada -p {X} --authenticationDatabase admin", "mongodump -u ada -p '{X}'"),
    ),
    ("sqlcmd", "{p}", ("sqlcmd -S db -U sa -P '{X}' -Q x", "sqlcmd -U sa -P {X}")),
    ("ldapsearch", "{p}", ("ldapsearch -x -D cn=admin -w {X} -b dc=x", "ldapsearch -x -w '{X}'")),
    (
        "openssl",
        "{p}",
        ("openssl rsa -in k -passin pass:{X}", "openssl enc -aes256 -pass pass:{X}"),
    ),
    ("htpasswd", "{p}", ("htpasswd -b -c .htpasswd ada {X}", "htpasswd -nb ada '{X}'")),
    ("smbclient", "{p}", ("smbclient //nas/x -U ada%{X}", "smbclient //nas/x -U 'ada%{X}'")),
    ("chpasswd", "{p}", ("echo 'ada:{X}' | chpasswd", 'echo "root:{X}" | sudo chpasswd')),
    (
        "netrc",
        "{p}",
        (
            "machine api.x.org login ada password {X}",
            "machine x.org\n  login ada\n  password {X}\n",
        ),
    ),
    ("docker-auth", "{b40}==", ('{{"auths": {{"ghcr.io": {{"auth": "{X}"}}}}}}', '"auth": "{X}"')),
    ("npmrc", "{g}", ("//registry.npmjs.org/:_authToken={X}", "//r.x.org/:_auth={X}")),
    (
        "cookie",
        "{A40}",
        (
            "Cookie: session={X}; theme=dark",
            "curl -b 'sessionid={X}' https://x.org",
            "curl --cookie 'sid={X}' x.org",
        ),
    ),
    (
        "set-cookie",
        "{A40}",
        ("Set-Cookie: sid={X}; Path=/; HttpOnly", "< set-cookie: connect.sid=s%3A{X}; Path=/"),
    ),
    (
        "authorization-basic",
        "{b32}==",
        (
            "Authorization: Basic {X}",
            "-H 'Authorization: Basic {X}'",
            '"Authorization": "Basic {X}"',
        ),
    ),
    (
        "authorization-bearer",
        "{A40}",
        (
            "Authorization: Bearer {X}",
            'headers={{"Authorization": f"Bearer {X}"}}',
            "-H 'authorization: token {X}'",
        ),
    ),
    ("authorization-plain", "{A40}", ("Authorization: {X}", '{{"Authorization": "{X}"}}')),
    (
        "header-key",
        "{A32}",
        ("X-Api-Key: {X}", "-H 'X-Auth-Token: {X}'", "PRIVATE-TOKEN: {X}", "'apikey': '{X}'"),
    ),
    (
        "url-password",
        "{p}",
        (
            "postgres://ada:{X}@db:5432/shop",
            "git clone https://ada:{X}@git.x.org/a.git",
            "mongodb+srv://ada:{X}@c.mongodb.net",
        ),
    ),
    (
        "url-password-alone",
        "{A20}",
        (
            "redis://:{X}@cache:6379/0",
            "https://{X}@git.x.org/a.git",
            "https://x-access-token:{X}@git.x.org/a",
        ),
    ),
    (
        "url-parameter",
        "{A32}",
        (
            "https://x.org/a?access_token={X}&b=1",
            "https://x.org/a?b=1&api_key={X}",
            "/cb?token={X}#x",
        ),
    ),
    (
        "azure-signature",
        "{A43}%3D",
        ("https://a.blob.core.windows.net/c?sv=2022-11-02&sig={X}", "?se=2026&sp=r&sig={X}&sv=1"),
    ),
    ("aws-signature", "{h64}", ("https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature={X}",)),
    (
        "azure-storage",
        "{b86}==",
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={X};EndpointSuffix=x",),
    ),
    ("azure-bus", "{b43}=", ("Endpoint=sb://a.net/;SharedAccessKeyName=Root;SharedAccessKey={X}",)),
    (
        "connection-string",
        "{p}",
        ("Server=db;Database=a;User Id=sa;Password={X};", '"Server=db;Uid=sa;Pwd={X};Encrypt=no"'),
    ),
    (
        "php-define",
        "{p}",
        (
            "define('DB_PASSWORD', '{X}');",
            'define( "DB_PASSWORD", "{X}" );',
            "define('AUTH_KEY', '{X}');",
        ),
    ),
    ("php-array", "{p}", ("'password' => '{X}',", '"secret" => "{X}",')),
    (
        "xml-element",
        "{p}",
        ("<password>{X}</password>", "<clientSecret>{X}</clientSecret>", "<api-key>{X}</api-key>"),
    ),
    (
        "xml-attribute",
        "{p}",
        ('<user name="ada" password="{X}"/>', '<add key="ApiKey" value="{X}" />'),
    ),
    (
        "java-setter",
        "{p}",
        ('ds.setPassword("{X}");', 'config.setApiKey("{X}")', '.withPassword("{X}")'),
    ),
    (
        "java-properties",
        "{p}",
        ("spring.datasource.password={X}", "storePassword={X}", "mail.smtp.password = {X}"),
    ),
    (
        "code-argument",
        "{p}",
        ('connect(user="ada", password="{X}")', "login(username='ada', passwd='{X}')"),
    ),
    (
        "code-constant",
        "{A28}",
        (
            'const apiKey = "{X}"',
            'private static final String API_SECRET = "{X}";',
            "authToken: '{X}',",
        ),
    ),
    (
        "yaml-password",
        "{p}",
        ("db:\n  user: ada\n  password: {X}\n", "  passphrase: '{X}'", 'password: "{X}"'),
    ),
    (
        "kubernetes-secret",
        "{b24}",
        ("kind: Secret\ndata:\n  password: {X}\n", "kind: Secret\nstringData:\n  token: {X}\n"),
    ),
    (
        "terraform-variable",
        "{p}",
        (
            'db_password = "{X}"',
            'terraform apply -var "db_password={X}"',
            "TF_VAR_db_password={X} terraform plan",
        ),
    ),
    (
        "json-password",
        "{p}",
        (
            '{{"user": "ada", "password": "{X}"}}',
            '{{\\"password\\": \\"{X}\\"}}',
            '{{"passphrase":"{X}"}}',
        ),
    ),
    (
        "sql-password",
        "{p}",
        (
            "CREATE USER ada WITH PASSWORD '{X}';",
            "ALTER ROLE ada PASSWORD '{X}'",
            "CREATE USER a@b IDENTIFIED BY '{X}'",
        ),
    ),
    (
        "said-password",
        "{p}",
        ("the password is {X}, try it", "my password: {X}", "use this password: `{X}`", "pw: {X}"),
    ),
    (
        "said-key",
        "{A32}",
        (
            "my api key is {X}",
            "here is the token: {X}",
            "the API key: `{X}`",
            "use token {X} for it",
        ),
    ),
    ("otp", "{B32}", ("otpauth://totp/x:ada?secret={X}&issuer=x", "TOTP_SECRET={X}")),
    (
        "wireguard",
        "{b43}=",
        ("[Interface]\nPrivateKey = {X}\nAddress = 10.0.0.2/32", "PresharedKey = {X}"),
    ),
    ("jwk", "{w43}", ('{{"kty": "EC", "crv": "P-256", "d": "{X}"}}', '{{"kty":"oct","k":"{X}"}}')),
    (
        "pem",
        "{b64}\n{b64}\n{b20}==",
        (
            "-----BEGIN RSA PRIVATE KEY-----\n{X}\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n{X}\n",
        ),
    ),
    (
        "ssh",
        "b3BlbnNzaC1rZXktdjEA{b50}\n{b70}",
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n{X}\n-----END OPENSSH PRIVATE KEY-----",),
    ),
    (
        "pgp",
        "{b64}\n{b64}\n={b4}",
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{X}\n-----END PGP PRIVATE KEY BLOCK-----",),
    ),
    (
        "putty",
        "{b64}\n{b64}",
        (
            "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\n{X}\nPrivate-MAC: 00",
        ),
    ),
    (
        "private-closed",
        "we buy {A12} corp",
        ("a <private>{X}</private> b", "a <PRIVATE>\n{X}\n</PRIVATE> b"),
    ),
    ("private-open", "we buy {A12} corp", ("plan: <private>{X} and more", "x\n<private>\n{X}\n")),
    (
        "private-attribute",
        "we buy {A12} corp",
        ('a <private reason="law">{X}</private> b', "<private level=2>{X}"),
    ),
)


def _kinds() -> Iterator[Kind]:
    for line in TOKENS.split("\n"):
        if line:
            name, secret = line.split(" ", 1)
            yield Kind(name, secret, EVERYWHERE)
    for line in VALUES.split("\n"):
        if line:
            name, secret, variable = line.split()
            yield Kind(name, secret, NAMED, variable)
    for name, secret, forms in FORMS:
        yield Kind(name, secret, forms)


KINDS = tuple(_kinds())


def held_back() -> frozenset[str]:
    """Return the third of the kinds that no rule was written for: those with the smallest SHA-256 of their name."""
    names = sorted((kind.name for kind in KINDS), key=lambda name: sha256(name.encode()).digest())
    return frozenset(names[: len(names) // 3])


class Example(NamedTuple):
    kind: str
    text: str
    made: tuple[str, ...]
    """The pieces of the secret that are not the same in all secrets of the kind."""


def examples(seed: int) -> Iterator[Example]:
    for kind in KINDS:
        chance = random.Random(f"{seed} {kind.name}")  # noqa: S311
        for form in kind.forms:
            places = _PLACE.findall(kind.secret)
            made = tuple(_piece(letter, int(length or 0), chance) for letter, length in places)
            pieces = iter(made)
            secret = _PLACE.sub(lambda _, pieces=pieces: next(pieces), kind.secret)  # type: ignore[misc]
            yield Example(kind.name, form.format(X=secret, N=kind.variable), made)


_PLACE = re.compile(r"\{(\w)(\d*)\}")


def _piece(kind: str, length: int, chance: random.Random) -> str:
    if kind == "g":
        return "-".join(_piece("h", size, chance) for size in (8, 4, 4, 4, 12))
    if kind == "p":
        return chance.choice(
            (
                _piece("A", chance.randint(8, 20), chance),
                f"Tr0ub4dor&{_piece('d', 2, chance)}",
                f"correct-horse-{_piece('d', 2, chance)}",
                f"S3cure!{_piece('A', 5, chance)}",
                f"hunter{_piece('d', 2, chance)}",
            )
        )
    return "".join(chance.choices(_CLASSES[kind], k=length))
