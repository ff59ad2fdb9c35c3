//! Rights as Roles, with comments that say what each is for.

use std::collections::BTreeSet;

use tracebloc_core::name::Namespace;
use tracebloc_core::rights::{Place, Right, Without};

/// Whose rights, and where.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// The name of the roles.
    pub(crate) name: &'a str,
    /// The namespace of the releases; `None` for all namespaces.
    pub(crate) namespace: Option<&'a Namespace>,
    /// Further namespaces of their workloads.
    pub(crate) further: &'a [Namespace],
    /// What else is to be known, a line each.
    pub(crate) notes: &'a [&'a str],
}

/// The roles as YAML, ready for `kubectl apply`.
pub(crate) fn roles(rights: &[Right], subject: &Subject<'_>) -> String {
    let Subject {
        name,
        namespace,
        further,
        notes,
    } = subject;
    let mut text = format!(
        "# The least rights of `{name}`. Bind them to an account, such as the service account SPACE:NAME:\n"
    );
    let mut documents = Vec::new();
    let cluster_wide: Vec<&Right> = rights
        .iter()
        .filter(|right| namespace.is_none() || right.place == Place::Cluster)
        .collect();
    if !cluster_wide.is_empty() {
        text.push_str(&format!(
            "#   kubectl create clusterrolebinding {name} --clusterrole={name} --serviceaccount=SPACE:NAME\n"
        ));
        documents.push(document("ClusterRole", name, None, &cluster_wide));
    }
    if let Some(namespace) = namespace {
        let places: BTreeSet<&Namespace> = further.iter().chain([*namespace]).collect();
        for place in places {
            let here: Vec<&Right> = rights
                .iter()
                .filter(|right| match right.place {
                    Place::Releases => place == *namespace,
                    Place::Workloads => true,
                    Place::Cluster => false,
                })
                .collect();
            if here.is_empty() {
                continue;
            }
            text.push_str(&format!(
                "#   kubectl create rolebinding {name} --namespace={place} --role={name} --serviceaccount=SPACE:NAME\n"
            ));
            documents.push(document("Role", name, Some(place), &here));
        }
    }
    if namespace.is_some() {
        for place in *further {
            text.push_str(&format!(
                "# {place} is where the chart runs its node agents, unless a release's value nodeAgents.namespace.name says another: then put that in its place.\n"
            ));
        }
    }
    let changes = rights
        .iter()
        .any(|right| matches!(right.without, Without::Refused(_)));
    text.push_str(if changes {
        "# Any rule may be left out but those that say otherwise: the rest is done, and what is missing is told.\n"
    } else {
        "# Any rule may be left out: the rest is answered, and a finding names what is missing.\n"
    });
    for note in *notes {
        text.push_str(&format!("# {note}\n"));
    }
    for document in documents {
        text.push_str(&document);
    }
    text
}

fn document(kind: &str, name: &str, namespace: Option<&Namespace>, rights: &[&Right]) -> String {
    let mut text = format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n"
    );
    if let Some(namespace) = namespace {
        text.push_str(&format!("  namespace: {namespace}\n"));
    }
    text.push_str("rules:\n");
    for Right {
        place: _,
        group,
        resources,
        verbs,
        names,
        without,
    } in rights
    {
        let is_rare = matches!(without, Without::Rare(_));
        let without = match without {
            Without::Unknown(what) => format!("Without it unknown: {what}"),
            Without::LeftOut(what) => format!("Without it left out: {what}"),
            Without::Refused(why) => format!("Without it nothing is changed: {why}"),
            Without::Rare(case) => format!("Only for {case}"),
        };
        let mut rule = format!(
            "- apiGroups: [\"{group}\"]\n  resources: [{}]\n  verbs: [{}]\n",
            resources.join(", "),
            verbs.join(", ")
        );
        if !names.is_empty() {
            rule.push_str(&format!("  resourceNames: [{}]\n", names.join(", ")));
        }
        text.push_str(&format!("  # {without}.\n"));
        // Whoever needs it takes the marks away.
        let margin = if is_rare { "  # " } else { "  " };
        for line in rule.lines() {
            text.push_str(&format!("{margin}{line}\n"));
        }
    }
    text
}
