//! `refresh --rollback`: from what a refresh brought, and from nothing else.

use crate::refresh::{plan, recorded, refresh, running, steps};
use crate::refresh_faults::{kubectl, refused};
use crate::support::installed;

#[test]
fn what_somebody_else_brought_since_is_not_gone_back_from() {
    let name = "back-overtaken";
    let tenant = installed(name, "1.9.28");
    recorded(&tenant);
    let first = running(&tenant, "api");
    let second = tenant.move_tag("tracebloc/jobs-manager", "prod", "two");
    plan(&refresh(&tenant, &[]), 0);
    // As the chart's own job does it in this version: the pods pull the tag again. Of the other workload it knows nothing.
    let third = tenant.move_tag("tracebloc/jobs-manager", "prod", "three");
    let third = third.unwrap().digest;
    let main = format!("deployment/{name}-jobs-manager");
    kubectl(&tenant, &["rollout", "restart", &main]);
    kubectl(&tenant, &["rollout", "status", &main, "--timeout=180s"]);
    assert_eq!(refused(&tenant, &["--rollback"]), ["overtaken"]);
    let told = plan(&refresh(&tenant, &["--rollback"]), 11);
    let message = told["refusals"][0]["message"].as_str().unwrap();
    let step = format!("from {} to {}", &third[..19], &first[0][..19]);
    assert!(message.ends_with(&step), "{message}");
    assert_eq!(running(&tenant, "api"), std::slice::from_ref(&third));
    // The same where the exact content was set, as later versions do it.
    let registry = tenant.registry_path();
    let exact = format!("api={registry}/tracebloc/jobs-manager@{third}");
    kubectl(&tenant, &["set", "image", &main, &exact]);
    kubectl(&tenant, &["rollout", "status", &main, "--timeout=180s"]);
    assert_eq!(refused(&tenant, &["--rollback"]), ["overtaken"]);
    // The other workload runs what the refresh brought still.
    assert_eq!(running(&tenant, "proxy"), [second.unwrap().digest]);
    let proxy = format!("{name}-requests-proxy");
    let back = plan(&refresh(&tenant, &["--rollback", "--workload", &proxy]), 0);
    let all = steps(&back);
    assert!(
        all.contains(&("set-image", proxy.as_str(), "done")),
        "{back:#}"
    );
    assert_eq!(running(&tenant, "proxy"), first);
    assert_eq!(running(&tenant, "api"), [third]);
}
