//! Lists, page by page.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracebloc_core::name::Namespace;
use url::form_urlencoded;

use super::{Cluster, ClusterError};

/// Objects a page: enough for few round trips, little enough for the memory of both sides.
const PAGE: &str = "500";

/// How often a list that expired while it was read is begun again.
const RESTARTS: usize = 2;

/// A list to read.
pub(super) struct Query<'a> {
    /// The API prefix, such as `/apis/apps/v1`.
    pub(super) api: &'static str,
    /// The resource in the plural.
    pub(super) resource: &'static str,
    /// One namespace, or all of them.
    pub(super) namespace: Option<&'a Namespace>,
    /// A label selector.
    pub(super) labels: Option<String>,
    /// A field selector.
    pub(super) fields: Option<&'static str>,
    /// Another Accept header than kube's.
    pub(super) accept: Option<&'static str>,
}

impl Query<'_> {
    /// The question in words, as in `list pods in namespace edge`.
    pub(super) fn words(&self) -> String {
        match self.namespace {
            Some(namespace) => format!("{} in namespace {namespace}", self.resource),
            None => format!("{} in all namespaces", self.resource),
        }
    }

    fn path(&self, next: Option<&str>) -> String {
        let scope = self
            .namespace
            .map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", PAGE);
        if let Some(labels) = &self.labels {
            query.append_pair("labelSelector", labels);
        }
        if let Some(fields) = self.fields {
            query.append_pair("fieldSelector", fields);
        }
        if let Some(next) = next {
            query.append_pair("continue", next);
        }
        format!("{}{scope}/{}?{}", self.api, self.resource, query.finish())
    }
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    // A list without items is `null` in some answers.
    items: Option<Vec<T>>,
}

#[derive(Deserialize, Default)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// Reads a list to its end; from the start again where the server has forgotten where we were (410).
pub(super) async fn all<T: DeserializeOwned>(
    cluster: &Cluster,
    query: &Query<'_>,
) -> Result<Vec<T>, ClusterError> {
    let mut restarts = 0;
    loop {
        match pages(cluster, query).await {
            Err(ClusterError::Expired { .. }) if restarts < RESTARTS => restarts += 1,
            outcome => return outcome,
        }
    }
}

async fn pages<T: DeserializeOwned>(
    cluster: &Cluster,
    query: &Query<'_>,
) -> Result<Vec<T>, ClusterError> {
    let words = query.words();
    let mut items = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page: Page<T> = cluster
            .get(&query.path(next.as_deref()), query.accept, "list", &words)
            .await?;
        items.extend(page.items.unwrap_or_default());
        if page.metadata.next.is_empty() {
            return Ok(items);
        }
        next = Some(page.metadata.next);
    }
}
