//! Kubeconfigs, good ones and bad ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificate::Pair;

/// With what a kubeconfig authenticates.
#[derive(Clone)]
pub enum User {
    /// A client certificate.
    Certificate(Pair),
    /// A bearer token.
    Token(String),
    /// Nothing: the API server sees `system:anonymous`.
    Nobody,
}

impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Certificate(_) => "Certificate(..)",
            Self::Token(_) => "Token(..)",
            Self::Nobody => "Nobody",
        })
    }
}

/// A kubeconfig with one context.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    /// The name of the context, and of its cluster and user.
    pub context: String,
    /// The address of the API server.
    pub server: String,
    /// The certificate of the authority in PEM; without it the system's authorities count.
    pub authority: Option<String>,
    /// The namespace of the context; without it kubectl takes `default`.
    pub namespace: Option<String>,
    /// With what it authenticates.
    pub user: User,
}

impl Kubeconfig {
    /// A kubeconfig without a namespace.
    pub fn new(context: &str, server: &str, authority: &str, user: User) -> Self {
        Self {
            context: context.to_owned(),
            server: server.to_owned(),
            authority: Some(authority.to_owned()),
            namespace: None,
            user,
        }
    }

    /// The same under another context name.
    #[must_use]
    pub fn named(mut self, context: &str) -> Self {
        context.clone_into(&mut self.context);
        self
    }

    /// The same with a namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// The same for another address, such as a fault proxy's or one where nobody listens.
    #[must_use]
    pub fn at(mut self, server: &str) -> Self {
        server.clone_into(&mut self.server);
        self
    }

    /// The file as YAML, in the order in which kubectl writes it. Strings are written as JSON, which is YAML too.
    pub fn render(&self) -> String {
        let Self {
            context,
            server,
            authority,
            namespace,
            user,
        } = self;
        let name = quoted(context);
        let mut text = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    server: {}\n",
            quoted(server)
        );
        if let Some(authority) = authority {
            text += &format!(
                "    certificate-authority-data: {}\n",
                STANDARD.encode(authority)
            );
        }
        text += &format!(
            "  name: {name}\ncontexts:\n- context:\n    cluster: {name}\n    user: {name}\n"
        );
        if let Some(namespace) = namespace {
            text += &format!("    namespace: {}\n", quoted(namespace));
        }
        text += &format!(
            "  name: {name}\ncurrent-context: {name}\nkind: Config\nusers:\n- name: {name}\n"
        );
        text += &match user {
            User::Certificate(pair) => format!(
                "  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
                STANDARD.encode(&pair.certificate),
                STANDARD.encode(&pair.key)
            ),
            User::Token(token) => format!("  user:\n    token: {}\n", quoted(token)),
            User::Nobody => "  user: {}\n".to_owned(),
        };
        text
    }
}

/// A string as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_special_characters_stay_whole() {
        let text = Kubeconfig::new(
            "admin@prod: \"eu\"",
            "https://127.0.0.1:1",
            "ca",
            User::Nobody,
        )
        .in_namespace("edge")
        .render();
        assert!(
            text.contains(r#"current-context: "admin@prod: \"eu\"""#),
            "{text}"
        );
        assert!(text.contains("namespace: \"edge\""), "{text}");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let user = User::Token("very-secret".to_owned());
        assert!(!format!("{user:?}").contains("secret"));
    }
}
