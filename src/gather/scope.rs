//! Which releases are meant (DESIGN §6 "Which releases").

use tracebloc_core::name::{Namespace, ReleaseId};
use tracebloc_core::profile::Profile;
use tracebloc_core::snapshot::{ObservedRelease, Unlisted};

use super::labels;
use crate::cli::{Invocation, ReleaseSelector};
use crate::cluster::{Cluster, ClusterError, Revisions};
use crate::context::Context;
use crate::error::Error;

/// The most releases that a hint offers.
const HINT_LIMIT: usize = 5;

/// Which releases are meant.
#[derive(Debug)]
pub(crate) struct Scope {
    named: Vec<ReleaseId>,
    /// Where to look for releases that were not named; `None` is everywhere.
    namespace: Option<Namespace>,
    /// True where nothing said which namespace: then an empty one is not the end of the search.
    may_widen: bool,
    selector: Option<String>,
}

/// The releases found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) revisions: Vec<Revisions>,
    /// Those that are known by labels alone, as their records may not be listed.
    pub(super) labelled: Vec<ObservedRelease>,
    /// Lists that would have told more of these.
    pub(super) unlisted: Vec<Unlisted>,
    pub(super) notes: Vec<String>,
}

impl Found {
    fn of(revisions: Vec<Revisions>, notes: Vec<String>) -> Self {
        Self {
            revisions,
            notes,
            ..Self::default()
        }
    }

    /// Takes in what labels tell in place of records that may not be listed. Where they tell of no release, none is known not to be there.
    async fn stand_in(
        &mut self,
        cluster: &Cluster,
        profile: &Profile,
        namespace: Option<&Namespace>,
        refusal: Error,
        is_wanted: impl Fn(&ReleaseId) -> bool,
    ) -> Result<(), Error> {
        let Error::Cluster {
            source: source @ ClusterError::Forbidden { .. },
            ..
        } = &refusal
        else {
            return Err(refusal);
        };
        let Ok(labelled) = labels::find(cluster, profile, namespace).await else {
            return Err(refusal);
        };
        let gap = source.gap("the records of the releases");
        let (releases, unlisted) = labelled.into_releases(&gap, is_wanted);
        if releases.is_empty() {
            return Err(refusal);
        }
        self.labelled.extend(releases);
        self.unlisted.extend(unlisted);
        Ok(())
    }
}

impl Scope {
    /// What arguments and context say.
    pub(crate) fn new(
        context: &Context,
        releases: Vec<ReleaseSelector>,
        all_namespaces: bool,
        selector: Option<String>,
    ) -> Result<Self, Error> {
        let conflict = |message: &str, hint| {
            Err(Error::Usage {
                message: message.to_owned(),
                hint,
            })
        };
        if all_namespaces && !releases.is_empty() {
            return conflict(
                "releases are named, and --all-namespaces asks for all",
                "name releases as NAMESPACE/RELEASE, or leave the names out",
            );
        }
        if selector.is_some() && !releases.is_empty() {
            return conflict(
                "releases are named, and --selector chooses by labels",
                "leave one of the two out",
            );
        }
        let named = releases
            .into_iter()
            .map(|selected| ReleaseId {
                namespace: selected
                    .namespace
                    .unwrap_or_else(|| context.namespace.clone()),
                name: selected.name,
            })
            .collect();
        Ok(Self {
            named,
            namespace: (!all_namespaces).then(|| context.namespace.clone()),
            may_widen: !all_namespaces
                && !context.namespace_given
                && selector.is_none()
                && context.invocation == Invocation::Direct,
            selector,
        })
    }

    /// True if releases were named: then they are shown whatever their chart.
    pub(crate) fn names_releases(&self) -> bool {
        !self.named.is_empty()
    }
}

/// Finds the releases.
pub(super) async fn find(
    context: &Context,
    cluster: &Cluster,
    profile: &Profile,
    scope: &Scope,
) -> Result<Found, Error> {
    if scope.names_releases() {
        return named(context, cluster, profile, &scope.named).await;
    }
    let place = scope.namespace.as_ref();
    let mut notes = Vec::new();
    let revisions = match list(context, cluster, place, scope.selector.as_deref()).await {
        Ok(revisions) => revisions,
        // Labels that were given to a release stand on its records only.
        Err(refusal) if scope.selector.is_some() => return Err(refusal),
        Err(refusal) => {
            let mut found = Found::default();
            let all = |_: &ReleaseId| true;
            found
                .stand_in(cluster, profile, place, refusal, all)
                .await?;
            return Ok(found);
        }
    };
    let Some(namespace) = place.filter(|_| revisions.is_empty()) else {
        return Ok(Found::of(revisions, notes));
    };
    if !scope.may_widen {
        // Without the right to read namespaces an empty answer stands.
        if let Ok(false) = cluster.has_namespace(namespace).await {
            return Err(Error::NoNamespace {
                namespace: namespace.clone(),
                server: context.server(),
            });
        }
        return Ok(Found::of(revisions, notes));
    }
    match list(context, cluster, None, None).await {
        Ok(revisions) => {
            if !revisions.is_empty() {
                notes.push(format!(
                    "namespace {namespace} of this context has no Helm release: looking in all namespaces"
                ));
            }
            Ok(Found::of(revisions, notes))
        }
        Err(Error::Cluster {
            source: ClusterError::Forbidden { .. },
            ..
        }) => {
            notes.push(format!(
                "namespace {namespace} of this context has no Helm release, and the credentials may not list secrets in all namespaces: name one with --namespace"
            ));
            Ok(Found::of(revisions, notes))
        }
        Err(error) => Err(error),
    }
}

async fn list(
    context: &Context,
    cluster: &Cluster,
    namespace: Option<&Namespace>,
    selector: Option<&str>,
) -> Result<Vec<Revisions>, Error> {
    cluster
        .releases(namespace, selector)
        .await
        .map_err(|source| Error::Cluster {
            asked: "the Helm releases".to_owned(),
            server: context.server(),
            source,
        })
}

/// The named releases, each of which must exist.
async fn named(
    context: &Context,
    cluster: &Cluster,
    profile: &Profile,
    named: &[ReleaseId],
) -> Result<Found, Error> {
    let mut found = Found::default();
    for id in named {
        let listed = found.revisions.iter().map(|known| &known.newest.head.id);
        let labelled = found.labelled.iter().map(|known| &known.newest.id);
        if listed.chain(labelled).any(|known| known == id) {
            continue;
        }
        let selector = format!("name={}", id.name);
        match list(context, cluster, Some(&id.namespace), Some(&selector)).await {
            Ok(listed) => match listed.into_iter().find(|one| one.newest.head.id == *id) {
                Some(one) => found.revisions.push(one),
                None => return Err(missing(context, cluster, id).await),
            },
            Err(refusal) => {
                let place = Some(&id.namespace);
                found
                    .stand_in(cluster, profile, place, refusal, |other| other == id)
                    .await?;
            }
        }
    }
    Ok(found)
}

/// What to say of a release that does not exist: releases of that name elsewhere, else the others of its namespace.
async fn missing(context: &Context, cluster: &Cluster, id: &ReleaseId) -> Error {
    if let Ok(false) = cluster.has_namespace(&id.namespace).await {
        return Error::NoNamespace {
            namespace: id.namespace.clone(),
            server: context.server(),
        };
    }
    let ids = |found: Vec<Revisions>| {
        found
            .into_iter()
            .take(HINT_LIMIT)
            .map(|revisions| revisions.newest.head.id.to_string())
            .collect::<Vec<_>>()
    };
    let selector = format!("name={}", id.name);
    // Hints are not worth an error of their own.
    let mut similar = ids(cluster
        .releases(None, Some(&selector))
        .await
        .unwrap_or_default());
    if similar.is_empty() {
        similar = ids(cluster
            .releases(Some(&id.namespace), None)
            .await
            .unwrap_or_default());
    }
    Error::NoRelease {
        name: id.name.to_string(),
        namespace: id.namespace.clone(),
        server: context.server(),
        similar,
    }
}

/// What to ask back where one release is wanted and there are several.
pub(super) fn several(context: &Context, releases: &[ObservedRelease]) -> Error {
    Error::SeveralReleases {
        server: context.server(),
        releases: releases
            .iter()
            .take(HINT_LIMIT)
            .map(|observed| observed.newest.id.to_string())
            .collect(),
        more: releases.len().saturating_sub(HINT_LIMIT),
    }
}

/// What to say where no release of the product was found; `others` were found and are not.
pub(super) fn nothing_found(context: &Context, scope: &Scope, others: usize) -> Vec<String> {
    let place = match &scope.namespace {
        Some(namespace) if !scope.may_widen => format!("in namespace {namespace}"),
        Some(_) | None => "in any namespace".to_owned(),
    };
    let mut notes = vec![if others == 0 {
        format!("no Helm release {place} of {}", context.server())
    } else {
        format!(
            "no tracebloc release among the {others} Helm releases {place} of {}; name a release to look at it all the same",
            context.server()
        )
    }];
    if context.invocation == Invocation::Helm && scope.namespace.is_some() {
        notes.push(
            "look in all namespaces with --all-namespaces, or in one with --namespace NAME"
                .to_owned(),
        );
    } else if scope.namespace.is_some() && !scope.may_widen {
        notes.push("look in all namespaces with --all-namespaces".to_owned());
    }
    notes
}
