"""Tokens that their own shape gives away. A row: name, the lower-case words that a token begins with, its shape.

Most shapes are those of gitleaks (https://github.com/gitleaks/gitleaks, config/gitleaks.toml at b58d3f1), without what
has to follow a token there, and with room for other lengths. LICENSE.gitleaks is its licence.
"""

_UUID = "[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}"

TOKENS = (
    (
        "1password-key",
        "a3-",
        (
            r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}"
            r"|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"
        ),
    ),
    ("1password-token", "ops_eyj", r"ops_eyJ[A-Za-z0-9+/_=-]{100,}"),
    ("adobe-secret", "p8e-", r"p8e-[A-Za-z0-9]{32}"),
    ("age-key", "age-secret-key-1", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    ("airtable-token", "pat", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("alibaba-key", "ltai", r"LTAI[A-Za-z0-9]{17,20}(?![A-Za-z0-9])"),
    ("anthropic-key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    ("artifactory-key", "akcp cmvmd", r"(?:AKCp[A-Za-z0-9]{60,}|cmVmd[A-Za-z0-9]{59,})"),
    ("asana-token", "1/ 2/", r"[12]/[0-9]{13,17}(?:/[0-9]{13,17})?:[a-f0-9]{32}"),
    (
        "atlassian-token",
        "atatt3 atctt3 atbb",
        (
            r"(?:AT[AC]TT3[A-Za-z0-9_=-]{60,}"
            r"|ATBB[A-Za-z0-9]{32})"
        ),
    ),
    (
        "authress-key",
        "sc_ ext_ scauth_ authress_",
        r"(?:sc|ext|scauth|authress)_[a-zA-Z0-9]{5,30}\.[a-zA-Z0-9]{4,6}\.acc[_-][a-zA-Z0-9-]{10,32}\.[\w+/=-]{30,120}",
    ),
    (
        "aws-key",
        "akia asia abia acca",
        (
            r"(?:AKIA|ASIA|ABIA|ACCA)(?![A-Z0-9]{9}EXAMPLE)[A-Z2-7]{16}(?!"
            r"[A-Za-z0-9])"
        ),
    ),
    ("aws-bedrock-key", "absk bedrock-api-key-", r"(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=]{100,}"),
    (
        "azure-key",
        "accountkey= sharedaccesskey=",
        (
            r"(?i:AccountKey|SharedAccessKey)=(?P<secret>"
            r"[A-Za-z0-9+/=]{40,})"
        ),
    ),
    ("buildkite-token", "bkua_", r"bkua_[a-f0-9]{40}"),
    ("cerebras-key", "csk-", r"csk-[a-z0-9]{40,}"),
    ("circleci-token", "ccipat_ ccipr", r"CCIP(?:AT|RJ|R)_[A-Za-z0-9]{16,}_[a-f0-9]{40}"),
    ("clickhouse-key", "4b1d", r"4b1d[A-Za-z0-9]{38}(?![A-Za-z0-9])"),
    ("clojars-token", "clojars_", r"(?i:CLOJARS_)[a-zA-Z0-9]{60}"),
    (
        "cloudflare-key",
        "v1.0- cfat_ cfut_ cfk_",
        (
            r"(?:v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|cf(?:at|ut"
            r"|k)_[A-Za-z0-9]{40,})"
        ),
    ),
    ("contentful-token", "cfpat-", r"CFPAT-[A-Za-z0-9_-]{40,}"),
    ("crates-token", "cio", r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    ("databricks-token", "dapi", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    ("digitalocean-token", "doo_v1_ dop_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    ("docker-token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[A-Za-z0-9_-]{20,}"),
    (
        "doppler-token",
        "dp.",
        (
            r"dp\.(?:pt|st|sa|ct|scim"
            r"|audit)(?:\.[A-Za-z0-9_-]{2,35})?\.[A-Za-z0-9]{40,44}"
        ),
    ),
    ("dropbox-token", "sl.", r"sl\.(?:u\.)?[A-Za-z0-9_-]{120,}"),
    ("duffel-token", "duffel_", r"duffel_(?:test|live)_[A-Za-z0-9_=-]{43}"),
    ("dynatrace-token", "dt0", r"dt0[a-z][0-9]{2}\.[A-Za-z0-9]{8,24}\.[A-Za-z0-9]{64}"),
    ("easypost-token", "ezak eztk", r"EZ[AT]K[A-Za-z0-9]{54}"),
    ("facebook-token", "eaa", r"EAA[A-Za-z0-9]{100,}"),
    ("figma-token", "figd_ figo_", r"fig[do]_[A-Za-z0-9_-]{36,}"),
    ("firecrawl-key", "fc-", r"fc-[a-f0-9]{32}(?![A-Za-z0-9])"),
    ("fireworks-key", "fw_", r"fw_(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24}(?![A-Za-z0-9_])"),
    ("flutterwave-key", "flwseck", r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,32}(?:-X)?"),
    (
        "flyio-token",
        "fo1_ fm1 fm2_",
        (
            r"(?:fo1_[A-Za-z0-9_-]{43}|fm(?:1[ar]"
            r"|2)_[A-Za-z0-9+/=]{90,})"
        ),
    ),
    ("frameio-token", "fio-u-", r"fio-u-[A-Za-z0-9_=-]{60,}"),
    ("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    ("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    (
        "gitlab-token",
        "glpat- glptt- gldt- glrt glcbt- glsoat- glagent- glft- glffct- glimt- gloas- gr1348941",
        r"(?:gl(?:pat|ptt|dt|rt|rtr|cbt|soat|agent|ft|ffct|imt|oas)-[A-Za-z0-9_.-]{19,}[A-Za-z0-9_-]|GR1348941[A-Za-z0-9_-]{20})",
    ),
    ("google-key", "aiza", r"AIza[A-Za-z0-9_-]{35,}"),
    ("google-key", "ya29. gocspx-", r"(?:ya29\.|GOCSPX-)[A-Za-z0-9_-]{20,}"),
    ("google-key", "1//0", r"1//0[A-Za-z0-9_-]{40,}"),
    (
        "grafana-token",
        "eyjrijoi glc_ glsa_",
        (
            r"(?:eyJrIjoi[A-Za-z0-9+/=]{40,}|glc_[A-Za-z0-9+/=]{32,}"
            r"|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8})"
        ),
    ),
    ("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    ("harness-key", "pat. sat.", r"[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}"),
    ("heroku-key", "hrku-aa", r"HRKU-AA[A-Za-z0-9_-]{50,}"),
    ("honeycomb-key", "hcaik_ hcamk_ hcxik_", r"hc[a-z]{2}k_[a-z0-9]{32,}"),
    ("huggingface-token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    ("infracost-token", "ico-", r"ico-(?=[A-Za-z]{0,31}[0-9])[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    ("intra42-secret", "s-s4t2", r"s-s4t2(?:ud|af)-[A-Fa-f0-9]{64}"),
    ("jina-key", "jina_", r"jina_[A-Za-z0-9_-]{50,}"),
    ("langfuse-key", "sk-lf-", rf"sk-lf-{_UUID}"),
    ("langsmith-key", "lsv2_", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    ("launchdarkly-key", "sdk- api- mob-", rf"(?:sdk|api|mob)-{_UUID}"),
    ("linear-key", "lin_api_ lin_oauth_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    ("mailgun-key", "key-", r"key-[a-f0-9]{32}(?![A-Za-z0-9])"),
    ("mapbox-token", "sk.eyj tk.eyj", r"[st]k\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}"),
    ("neon-key", "napi_", r"napi_[a-z0-9]{48,}"),
    ("netlify-token", "nfp_ nfc_ nfo_ nfu_", r"nf[pcou]_[A-Za-z0-9]{36}"),
    ("newrelic-key", "nrak- nrii- nraa- nrbr- nrra-", r"NR(?:AK|II|AA|BR|RA)-[A-Za-z0-9_-]{19,42}"),
    ("notion-token", "ntn_", r"ntn_[A-Za-z0-9]{40,}"),
    ("notion-token", "secret_", r"secret_[A-Za-z0-9]{43}(?![A-Za-z0-9])"),
    ("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    ("nuget-key", "oy2", r"oy2[a-z0-9]{43}(?![A-Za-z0-9])"),
    ("nvidia-key", "nvapi-", r"nvapi-[A-Za-z0-9_-]{50,}"),
    ("octopus-key", "api-", r"API-[A-Z0-9]{25,32}(?![A-Za-z0-9])"),
    ("openai-key", "sk-", r"sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,}"),
    ("openai-key", "sk-", r"sk-[A-Za-z0-9]{32,}"),
    ("elevenlabs-key", "sk_", r"sk_[a-f0-9]{40,64}(?![A-Za-z0-9])"),
    ("openshift-token", "sha256~", r"sha256~[A-Za-z0-9_-]{43}"),
    ("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,}"),
    (
        "plaid-token",
        "access- public-",
        (
            rf"(?:access|public)-(?:sandbox|development"
            rf"|production)-{_UUID}"
        ),
    ),
    (
        "planetscale-token",
        "pscale_",
        (
            r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.-]{31,63}"
            r"[A-Za-z0-9_=-]"
        ),
    ),
    ("posthog-key", "phx_ phs_", r"ph[xs]_[A-Za-z0-9]{32,}"),
    ("postman-key", "pmak-", r"PMAK-[a-fA-F0-9]{24}-[a-fA-F0-9]{34}"),
    ("prefect-key", "pnu_ pnb_", r"pn[ub]_[A-Za-z0-9]{36}"),
    ("pulumi-token", "pul-", r"pul-[a-f0-9]{40}"),
    ("pypi-token", "pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
    ("readme-key", "rdme_", r"rdme_[a-z0-9]{60,}"),
    ("render-key", "rnd_", r"rnd_(?=[A-Za-z]{0,31}[0-9])[A-Za-z0-9]{28,40}(?![A-Za-z0-9_])"),
    ("replicate-token", "r8_", r"r8_[A-Za-z0-9]{37}"),
    ("resend-key", "re_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}(?![A-Za-z0-9])"),
    ("rubygems-key", "rubygems_", r"rubygems_[a-f0-9]{48}"),
    ("scalingo-token", "tk-us-", r"tk-us-[A-Za-z0-9_-]{48}"),
    ("sendgrid-key", "sg.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,}"),
    ("brevo-key", "xkeysib- xsmtpsib-", r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    ("sentry-token", "sntrys_ sntryu_", r"(?:sntrys_eyJ[A-Za-z0-9+/=_-]{60,}|sntryu_[a-f0-9]{64})"),
    ("settlemint-token", "sm_aat_ sm_pat_ sm_sat_", r"sm_[aps]at_[A-Za-z0-9]{16}"),
    ("shippo-token", "shippo_", r"shippo_(?:live|test)_[a-fA-F0-9]{40}"),
    ("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("slack-token", "xox xapp-", r"(?:xox[abceoprs]|xoxe\.xox[bp]|xapp-[0-9])-[A-Za-z0-9%-]{10,}"),
    (
        "slack-webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/+_-]{20,})",
    ),
    (
        "discord-webhook",
        "discord",
        (
            r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/(?P<secret>[0-9]{17,20}/"
            r"[A-Za-z0-9_-]{60,})"
        ),
    ),
    (
        "teams-webhook",
        "webhook.office.com/",
        (
            r"webhook\.office\.com/webhookb2/(?P<secret>[A-Za-z0-9@-]{36,80}/IncomingWebhook/"
            r"[A-Za-z0-9]{32}/[A-Za-z0-9-]{36})"
        ),
    ),
    ("sonarqube-token", "sqp_ squ_ sqa_", r"sq[pua]_[a-f0-9]{40}"),
    ("sourcegraph-token", "sgp_", r"sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}"),
    ("square-token", "eaaa sq0", r"(?:EAAA[A-Za-z0-9_-]{50,}|sq0[a-z]{3}-[A-Za-z0-9_-]{22,60})"),
    ("stripe-key", "sk_ rk_", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}"),
    ("stripe-key", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
    (
        "supabase-key",
        "sbp_ sb_secret_",
        (
            r"(?:sbp_(?:v0_)?[a-f0-9]{40}"
            r"|sb_secret_[A-Za-z0-9_-]{25,})"
        ),
    ),
    ("tailscale-key", "tskey-", r"tskey-(?:[a-z]{3,10}-)?[A-Za-z0-9]{8,20}-[A-Za-z0-9]{20,}"),
    ("tavily-key", "tvly-", r"tvly-[A-Za-z0-9-]{30,}"),
    ("twilio-key", "sk", r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("typeform-token", "tfp_", r"tfp_[A-Za-z0-9_.=-]{40,}"),
    ("vault-token", "hvs. hvb. hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", r"vc[piark]_[A-Za-z0-9]{24,}"),
    (
        "voyage-key",
        "pa-",
        (
            r"pa-(?=[A-Za-z_-]{0,42}[0-9])(?=[a-z0-9_-]{0,42}[A-Z])[A-Za-z0-9_-]{43}(?!"
            r"[A-Za-z0-9_-])"
        ),
    ),
    ("xai-key", "xai-", r"xai-[A-Za-z0-9]{60,}"),
)

# Tokens with a mark further on: the words, how many characters precede them, and the whole shape.
MARKED_LATER = (
    ("discord-token", ".g", 24, r"[MNO][A-Za-z0-9_-]{23}\.G[A-Za-z0-9_-]{5}\.[A-Za-z0-9_-]{27,}"),
    ("discord-token", ".g", 26, r"[MNO][A-Za-z0-9_-]{25}\.G[A-Za-z0-9_-]{5}\.[A-Za-z0-9_-]{27,}"),
    ("azure-secret", "q~", 4, r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])"),
    ("maxmind-key", "_mmk", 36, r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?![A-Za-z0-9])"),
    ("terraform-token", ".atlasv1.", 14, r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("newrelic-key", "nral", 36, r"[a-f0-9]{36}NRAL(?![A-Za-z0-9])"),
    ("mailchimp-key", "-us", 32, r"[a-f0-9]{32}-us[0-9]{1,2}(?![A-Za-z0-9])"),
    ("telegram-token", ":aa", 9, r"[0-9]{9}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    ("telegram-token", ":aa", 10, r"[0-9]{10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
)
