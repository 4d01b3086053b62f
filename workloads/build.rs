//! The payloads bring their own entry point.

fn main() {
    for payload in ["execlab-payload", "execlab-payload-bare"] {
        for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
            println!("cargo::rustc-link-arg-bin={payload}={argument}");
        }
        // Two pages less to map for each exec: no separate segment for notes and headers.
        println!("cargo::rustc-link-arg-bin={payload}=-Wl,--build-id=none,-z,noseparate-code");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
