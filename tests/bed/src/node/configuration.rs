//! The configuration files of the programs of a node.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::json;

use crate::kwok::NODE_LABEL;

/// The effect of the taint `bed.tracebloc.io/node=real`, which keeps the daemon sets and pods of other tests away from the real node.
pub const TAINT_EFFECT: &str = "NoSchedule";

/// The name of the network among the plugins.
const NETWORK: &str = "tracebloc-bed";

/// What the files of a node name.
pub(super) struct Layout<'a> {
    /// The node's own folder.
    pub(super) directory: &'a Path,
    /// The bridge of the pods.
    pub(super) bridge: &'a str,
    /// The third number of the pods' addresses, `10.244.N.0/24`.
    pub(super) subnet: u8,
    /// The folder of the network plugins.
    pub(super) plugins: &'a Path,
    /// The image of a pod's sandbox.
    pub(super) sandbox: &'a str,
    /// The certificate authority whose clients the kubelet serves.
    pub(super) authority: &'a Path,
    /// The port of the kubelet.
    pub(super) port: u16,
}

impl Layout<'_> {
    /// The address of the node: that of its bridge. A kubelet refuses loopback.
    pub(super) fn address(&self) -> Ipv4Addr {
        address(self.subnet)
    }

    /// The socket of containerd.
    pub(super) fn socket(&self) -> String {
        format!("{}/containerd.sock", self.directory.display())
    }

    /// containerd: everything in the node's folder, and the registry on plain http.
    pub(super) fn containerd(&self) -> String {
        let directory = self.directory.display();
        let plugins = self.plugins.display();
        let sandbox = self.sandbox;
        format!(
            r#"version = 2
root = "{directory}/containerd"
state = "/run/tracebloc-bed"
disabled_plugins = ["io.containerd.grpc.v1.podsandbox"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox}"
  netns_mounts_under_state_dir = true
  # A machine that is itself contained may not lower the score.
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{directory}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{directory}/hosts"
"#,
            socket = self.socket(),
        )
    }

    /// The registry `host` answers on plain http.
    pub(super) fn hosts(host: &str) -> String {
        format!(
            "server = \"http://{host}\"\n[host.\"http://{host}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        )
    }

    /// The pods' network: a bridge that this machine reaches, and nothing beyond it.
    pub(super) fn network(&self) -> String {
        json!({
            "cniVersion": "1.0.0",
            "name": NETWORK,
            "plugins": [{
                "type": "bridge",
                "bridge": self.bridge,
                "isGateway": true,
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": self.directory.join("addresses"),
                    "ranges": [[{"subnet": format!("10.244.{}.0/24", self.subnet)}]],
                },
            }],
        })
        .to_string()
    }

    /// The kubelet. JSON is YAML.
    pub(super) fn kubelet(&self) -> String {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address(),
            "port": self.port,
            "healthzPort": 0,
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": false},
                "x509": {"clientCAFile": self.authority},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": false,
            "containerRuntimeEndpoint": format!("unix://{}", self.socket()),
            "enforceNodeAllocatable": [],
            "evictionHard": {},
            "failCgroupV1": false,
            "failSwapOn": false,
            "makeIPTablesUtilChains": false,
            "nodeStatusUpdateFrequency": "2s",
            "podLogsDir": self.directory.join("pod-logs"),
            "registerWithTaints": [{"key": NODE_LABEL, "value": "real", "effect": TAINT_EFFECT}],
            "resolvConf": "",
            "serializeImagePulls": false,
            "syncFrequency": "5s",
            "volumePluginDir": self.directory.join("volume-plugins"),
        })
        .to_string()
    }
}

/// The address of the bridge of a subnet.
pub(super) fn address(subnet: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, subnet, 1)
}
