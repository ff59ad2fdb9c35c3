//! The pull secrets of what runs, lent to the registries' client, each for the repositories of its own pods only.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use tracebloc_core::assess::{PullSecretId, wanted_pull_secrets};
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::Snapshot;

use super::QUESTIONS_AT_ONCE;
use crate::cluster::{Cluster, PullSecret};
use crate::error::chain;
use crate::registry::{Keyring, Registry, Trouble};

/// Reads each secret once. One that cannot be read is told with the refusal of a registry that it might have opened; the rest is answered.
pub(super) async fn lend(
    cluster: &Cluster,
    registry: &Registry,
    snapshot: &Snapshot,
    profile: &Profile,
) {
    let wanted = wanted_pull_secrets(snapshot, profile);
    let secrets: BTreeSet<&PullSecretId> = wanted.values().flatten().collect();
    let read: BTreeMap<&PullSecretId, Result<PullSecret, Trouble>> = stream::iter(secrets)
        .map(|secret| async move {
            let outcome = cluster.pull_secret(&secret.namespace, &secret.name).await;
            (secret, outcome.map_err(|error| trouble(secret, &error)))
        })
        .buffered(QUESTIONS_AT_ONCE)
        .collect()
        .await;
    for (repository, secrets) in &wanted {
        let mut keyring = Keyring::default();
        let mut first_trouble = None;
        for secret in secrets {
            let added = match read.get(secret) {
                Some(Ok(PullSecret::ConfigJson(bytes))) => keyring.add_config_json(bytes),
                Some(Ok(PullSecret::Cfg(bytes))) => keyring.add_cfg(bytes),
                Some(Ok(PullSecret::Other)) | None => Ok(()),
                Some(Err(trouble)) => {
                    first_trouble.get_or_insert_with(|| trouble.clone());
                    Ok(())
                }
            };
            if let Err(error) = added {
                first_trouble.get_or_insert_with(|| trouble(secret, &error));
            }
        }
        registry.lend(repository.clone(), keyring, first_trouble);
    }
}

fn trouble(secret: &PullSecretId, error: &(dyn std::error::Error + 'static)) -> Trouble {
    Trouble::PullSecret {
        secret: secret.to_string(),
        reason: chain(error),
    }
}
