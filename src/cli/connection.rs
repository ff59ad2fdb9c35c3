//! kubectl's own connection flags, with kubectl's meaning (FACTS 4.2).

use std::path::PathBuf;

use clap::Args;

use super::RequestTimeout;

/// Which cluster, as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection options (as in kubectl)")]
pub(crate) struct ConnectionArgs {
    /// The kubeconfig file to use, instead of $KUBECONFIG and ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context to use
    #[arg(long, alias = "kube-context", global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The kubeconfig's cluster to use, whatever the context says
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// The kubeconfig's user to use, whatever the context says
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// The namespace of the releases
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The API server's address
    #[arg(short, long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The name to expect in the server's certificate
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,
    /// Accept any server certificate: the connection can be listened to
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) insecure_skip_tls_verify: Option<bool>,
    /// A file of certificate authorities for the API server
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// A client certificate file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// The client certificate's key file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// A bearer token; it shows in the process list, so prefer a kubeconfig
    #[arg(long, global = true, value_name = "TOKEN", hide_default_value = true)]
    pub(crate) token: Option<Token>,
    /// The user to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) impersonate: Option<String>,
    /// A group to impersonate; repeatable
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub(crate) impersonate_groups: Vec<String>,
    /// The UID to impersonate
    #[arg(long = "as-uid", global = true, value_name = "UID")]
    pub(crate) impersonate_uid: Option<String>,
    /// An extra field to impersonate; repeatable
    #[arg(long = "as-user-extra", global = true, value_name = "KEY=VALUE")]
    pub(crate) impersonate_extra: Vec<String>,
    /// How long one request to the API server may take: `30s`, `2m`; a bare number means seconds, 0 no limit
    #[arg(long, global = true, value_name = "DURATION")]
    pub(crate) request_timeout: Option<RequestTimeout>,
    /// Ask for uncompressed answers, also of a far server
    #[arg(long, global = true)]
    pub(crate) disable_compression: bool,
    /// Helm's own global flags, which it hands on; nothing here depends on them
    #[arg(long, global = true, hide = true, value_name = "N")]
    pub(crate) burst_limit: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "N")]
    pub(crate) qps: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    pub(crate) content_cache: Option<String>,
}

/// A bearer token, which never prints.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

impl std::str::FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}
