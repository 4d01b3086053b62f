//! Whatever is planted into whatever storm is found, and nothing else.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// What the issue asks for: so many runs, each a storm of its own with faults of its own.
const RUNS: u32 = 10_000;

fn shapes() -> impl Strategy<Value = Shape> {
    let size = (0_u32..90, 1_u32..16, 0_u32..20, 1_u32..4);
    let scene = (0_u32..4, select(Scene::SMALL.to_vec()), 0_u32..5);
    (size, scene).prop_map(
        |((execs, at_once, more_pids, per_process), (containers, scene, attempts))| Shape {
            execs,
            at_once,
            pids: at_once + more_pids,
            per_process,
            containers,
            scene,
            attempts,
        },
    )
}

fn losses() -> impl Strategy<Value = LossFault> {
    select(vec![
        LossFault::Exact,
        LossFault::TooLittle(1),
        LossFault::TooMuch(1),
        LossFault::Silent,
        LossFault::Unnumbered,
        LossFault::Events(3),
        LossFault::Records(3),
        LossFault::Uncounted,
        LossFault::Zeroes,
        LossFault::ExactAndMore,
        LossFault::OutsideToo(3),
        LossFault::OutsideOnly(3),
    ])
}

fn faults() -> impl Strategy<Value = Fault> {
    let share = || 0_u16..=1_000;
    let by = |most| 0_u64..most;
    prop_oneof![
        1 => share().prop_map(Fault::Drop),
        1 => (share(), share()).prop_map(|(a, b)| Fault::DropWindow(a.min(b), a.max(b))),
        1 => (share(), by(1_000_000)).prop_map(|(s, by)| Fault::Duplicate(s, by)),
        1 => (share(), by(2_000_000_000)).prop_map(|(s, by)| Fault::Delay(s, by)),
        1 => share().prop_map(Fault::Late),
        1 => (1_usize..40).prop_map(Fault::Reorder),
        1 => share().prop_map(Fault::SwapPids),
        // Of paths there is the most to get wrong.
        4 => (share(), select(PathFault::ALL.to_vec())).prop_map(|(s, how)| Fault::Path(s, how)),
        1 => (share(), select(vec![Given::Right, Given::Cut, Given::Other]))
            .prop_map(|(s, how)| Fault::Given(s, how)),
        2 => (share(), select(ArgvFault::ALL.to_vec())).prop_map(|(s, how)| Fault::Argv(s, how)),
        2 => (share(), select(Field::ALL.to_vec())).prop_map(|(s, f)| Fault::Omit(s, f)),
        1 => share().prop_map(Fault::WrongParent),
        1 => share().prop_map(Fault::WrongUser),
        1 => share().prop_map(Fault::SwapContainer),
        1 => share().prop_map(Fault::LateContainer),
        1 => (share(), select(vec![NsPid::InPlace, NsPid::Apart]))
            .prop_map(|(s, how)| Fault::NsPid(s, how)),
        1 => share().prop_map(Fault::ThreadId),
        1 => (share(), by(4_000_000)).prop_map(|(s, tick)| Fault::Ticks(s, tick)),
        1 => share().prop_map(Fault::Polled),
        2 => (0_usize..9, select(Sign::ALL.to_vec())).prop_map(|(n, s)| Fault::Phantoms(n, s)),
        1 => (0_usize..9).prop_map(Fault::Foreign),
        1 => (0_usize..9).prop_map(Fault::Neighbours),
        1 => (0_usize..9).prop_map(Fault::Canaries),
        1 => (0_usize..9).prop_map(Fault::SetUp),
        1 => losses().prop_map(Fault::Loss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: RUNS, ..ProptestConfig::default() })]

    #[test]
    fn any_faults_are_found(shape in shapes(), faults in vec(faults(), 0..7), seed: u64) {
        let truth = truth(&shape, seed);
        let planted = plant(&truth, &faults, seed);
        let judgement = judge(&planted.record(&truth), &BEST);
        prop_assert_eq!(Findings::of(&judgement), planted.expected(&truth, &BEST));
    }
}
