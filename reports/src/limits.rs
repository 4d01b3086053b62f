//! What the numbers do not say.

use execlab_model::result::Lab;

use crate::matrix::Matrix;

const EVERYWHERE: &[&str] = &[
    "A cell says what happened in its workload. A backend that saw every exec here can still lose some under a heavier load, and one without a result here is neither good nor bad.",
    "Path accuracy is measured against the best path that the scenario allows, over the execs that were seen; it says nothing of those that were missed.",
];

const fn of_lab(lab: Lab) -> &'static [&'static str] {
    match lab {
        Lab::Exact => &[
            "Cost is a count of guest instructions under emulation (QEMU TCG). It knows nothing of caches, TLBs, branch prediction or memory speed, so it is path length and not time.",
            "There is one virtual CPU: no contention for locks, no cache lines that travel, no work that another CPU could have taken over, and none of what only happens on several CPUs.",
            "Guest time is a count as well. Rates and latencies are those of the emulated machine, not of one that you can buy.",
            "The same trial gives the same numbers to the last digit. That is repeatability, not generality: other seeds, kernels, images or QEMU versions are other trials.",
        ],
        Lab::Kvm => &[
            "Cost is CPU time of the whole guest, by its own clock. It differs from trial to trial: read a difference with its interval and beside the control, which is the baseline compared with itself.",
            "An interval says where the median of such trials lies on this machine as it was then. It says nothing of other machines, days, frequencies or neighbours, and nothing of an error that all trials share.",
            "The host's load, its frequency and what it takes from the guest (steal) are in every figure, baselines included; interleaved trials share slow drifts, and no more.",
            "A guest's exits to the hypervisor cost time that bare metal does not pay. What watching adds may so be more here, or less, than on the machine below.",
        ],
        Lab::Host => &[
            "Cost is CPU time of the storm and of the monitor with its kernel threads. Work that the kernel does for a monitor in other threads, or in interrupts that hit others, is not in it.",
            "It differs from trial to trial: read a difference with its interval and beside the control, which is the baseline compared with itself. Whatever else ran on the machine disturbed both.",
            "An interval says where the median of such trials lies on this machine as it was then. It says nothing of other machines, days, frequencies or neighbours, and nothing of an error that all trials share.",
            "Figures are of this kernel, booted with its own options. Trials ran on several CPUs at once, so losses here may come from races that the exact lab cannot show.",
        ],
    }
}

/// For the labs that these results come from.
pub(crate) fn limits(matrix: &Matrix<'_>) -> Vec<&'static str> {
    let mut all = Vec::new();
    for lab in Lab::ALL {
        if matrix.setups.iter().any(|s| s.lab == lab) {
            all.extend(of_lab(lab));
        }
    }
    all.extend(EVERYWHERE);
    all
}
