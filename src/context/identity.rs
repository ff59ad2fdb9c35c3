//! As whom a call asks. Credentials end, those of a plugin after a few minutes, and what a command waits for may take longer: where the server refuses
//! them, the plugin gives new ones, or those count that stand in the kubeconfig now.

use std::sync::{Arc, PoisonError, RwLock};

use kube::config::{AuthInfo, ExecConfig};
use tokio::sync::Mutex;

use super::{ContextError, Origin, Target, exec};

/// As whom a call asks, by now. Clones share it.
#[derive(Clone)]
pub(crate) struct Identity(Arc<Shared>);

struct Shared {
    origin: Origin,
    /// The credential plugin of the kubeconfig, which is asked again.
    plugin: Option<ExecConfig>,
    /// The context and the server, which stay.
    context: Option<String>,
    server: String,
    present: RwLock<Present>,
    /// Whoever renews: two at once would ask the plugin twice.
    turn: Mutex<()>,
}

#[derive(Clone)]
struct Present {
    config: kube::Config,
    /// How often the credentials were renewed.
    renewals: u64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// The identity of a target, authenticated once; a plugin runs here.
    pub(super) async fn of(target: &Target, origin: Origin) -> Result<Self, ContextError> {
        let mut config = target.config.clone();
        let user = &config.auth_info;
        let plugin = user.exec.clone().filter(|_| !exec::has_own(user));
        authenticate(&mut config.auth_info).await?;
        Ok(Self(Arc::new(Shared {
            origin,
            plugin,
            context: target.context.clone(),
            server: target.server.clone(),
            present: RwLock::new(Present {
                config,
                renewals: 0,
            }),
            turn: Mutex::new(()),
        })))
    }

    /// How the server is asked now, and how often that was renewed.
    pub(crate) fn present(&self) -> (kube::Config, u64) {
        let present = self.0.present.read();
        let Present { config, renewals } = present.unwrap_or_else(PoisonError::into_inner).clone();
        (config, renewals)
    }

    /// The plugin that gives the credentials, where one does.
    pub(crate) fn plugin(&self) -> Option<&ExecConfig> {
        self.0.plugin.as_ref()
    }

    /// Gets new credentials in place of those that were refused, which had been renewed so often. False where there are none to be had.
    pub(crate) async fn renew(&self, refused: u64) -> Result<bool, ContextError> {
        let _turn = self.0.turn.lock().await;
        let (mut config, renewals) = self.present();
        if renewals != refused {
            return Ok(true);
        }
        let mut user = match self.0.plugin.clone() {
            Some(plugin) => {
                let mut user = config.auth_info.clone();
                exec::forget(&mut user);
                user.exec = Some(plugin);
                user
            }
            None => match self.written()? {
                Some(user) => user,
                None => return Ok(false),
            },
        };
        authenticate(&mut user).await?;
        // Only now: a plugin that failed is asked again, since the credentials that were refused stay refused.
        config.auth_info = user;
        *self
            .0
            .present
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Present {
            config,
            renewals: renewals + 1,
        };
        Ok(true)
    }

    /// The user of the context as it is written now; `None` where that context has come to lead to another server.
    fn written(&self) -> Result<Option<AuthInfo>, ContextError> {
        let Origin {
            environment,
            connection,
            request_timeout,
        } = &self.0.origin;
        let mut connection = connection.clone();
        // The current context may be another by now.
        connection.context = self.0.context.clone().or(connection.context);
        let written = Target::resolve(environment, &connection, *request_timeout)?;
        Ok((written.server == self.0.server).then_some(written.config.auth_info))
    }
}

/// Has the plugin of a user, if there is one, give its credentials.
async fn authenticate(user: &mut AuthInfo) -> Result<(), ContextError> {
    exec::authenticate(user)
        .await
        .map_err(|(command, source)| ContextError::Plugin { command, source })
}
