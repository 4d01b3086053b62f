//! Scoring is linear: a million execs take at most 12 times the time and memory of a hundred thousand.
//!
//! `cargo bench -p execlab-harness --bench scoring` measures both sizes with criterion, prints both
//! ratios, and fails if one is above the limit or if the scorer finds anything but what was planted.
//!
//! A record is scored once, right after it came in, so none of it is in a cache. For the small size
//! ten different records take turns: the same one again and again would be measured warm, the large
//! one always cold, and the ratio would be that of the caches.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput};
use execlab_harness::score::{
    calibration::{Fault, Findings, Shape, Sign, plant, truth},
    judge,
};
use execlab_model::{record::Record, result::PathClass};

const SMALL: u32 = 100_000;
const LARGE: u32 = 1_000_000;
/// What the large one may take, in multiples of the small one.
const LIMIT: f64 = 12.0;
const BEST: [PathClass; 1] = [PathClass::Exact];

/// The system's allocator, counting the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A crowded storm with reused pids and a monitor with every kind of fault that costs time.
fn record(execs: u32, seed: u64) -> Record {
    let shape = Shape {
        execs,
        at_once: 16,
        pids: 30_000,
        ..Shape::default()
    };
    let truth = truth(&shape, seed);
    let few = (execs / 100) as usize;
    let faults = [
        Fault::Drop(20),
        Fault::Duplicate(20, 40_000),
        Fault::SwapPids(20),
        Fault::Delay(20, 500_000),
        Fault::Reorder(16),
        Fault::Phantoms(few, Sign::Parent),
        Fault::Foreign(few),
    ];
    let planted = plant(&truth, &faults, seed);
    let expected = planted.expected(&truth, &BEST);
    let record = planted.into_record(truth);
    let found = Findings::of(&judge(&record, &BEST));
    assert_eq!(
        found, expected,
        "the scorer found something else than was planted"
    );
    record
}

/// Time to judge these records, and the most memory that one judgement takes beside its record.
fn measure(records: &[Record]) -> (Duration, usize) {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let start = Instant::now();
    for record in records {
        black_box(judge(black_box(record), &BEST));
    }
    (start.elapsed(), PEAK.load(Relaxed) - before)
}

fn main() -> ExitCode {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(15))
        .configure_from_args();
    let small: Vec<Record> = (1..=u64::from(LARGE / SMALL))
        .map(|seed| record(SMALL, seed))
        .collect();
    let large = [record(LARGE, 1)];
    let mut group = criterion.benchmark_group("judge");
    for (execs, records) in [(SMALL, &small[..]), (LARGE, &large[..])] {
        group.throughput(Throughput::Elements(u64::from(execs)));
        group.bench_function(BenchmarkId::from_parameter(execs), |bench| {
            let mut turn = records.iter().cycle();
            bench.iter(|| turn.next().map(|record| judge(record, &BEST)));
        });
    }
    group.finish();
    criterion.final_summary();

    // Both sizes in turn, and the best of each, so that a busy host troubles them alike.
    let rounds: Vec<_> = (0..7).map(|_| (measure(&small), measure(&large))).collect();
    let least = |times: &mut dyn Iterator<Item = Duration>| times.min().unwrap_or_default();
    let small_time = least(&mut rounds.iter().map(|(small, _)| small.0)) / (LARGE / SMALL);
    let large_time = least(&mut rounds.iter().map(|(_, large)| large.0));
    let ((_, small_peak), (_, large_peak)) = rounds[0];
    let time = large_time.as_secs_f64() / small_time.as_secs_f64();
    let memory = large_peak as f64 / small_peak as f64;
    println!("{SMALL} execs: {small_time:.2?}, {small_peak} bytes");
    println!("{LARGE} execs: {large_time:.2?}, {large_peak} bytes");
    println!("ratio: time {time:.2}, memory {memory:.2} (limit {LIMIT})");
    if time > LIMIT || memory > LIMIT {
        eprintln!("scoring is not linear");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
