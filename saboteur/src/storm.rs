//! In the storm's place: the real storm does the work, and this stands between it and the trial runner.

use std::{
    env,
    io::{self, Write},
    process::{self, Child, Command, Stdio},
};

use execlab_workloads::protocol::{Answer, Order, receive, send};

use crate::{console, unknown};

/// The real one.
const STORM: &str = "/bin/execlab-storm";

/// Passes orders and answers on until the fault is due.
pub fn run(fault: &str) {
    let mut storm = Command::new(STORM)
        .args(env::args_os().skip(1))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the real storm starts");
    while let Ok(order) = receive::<Order>(&mut io::stdin()) {
        match (&order, fault) {
            (Order::Prepare { .. }, "storm-refuses") => {
                answer(&Answer::Failed("saboteur: the ground is taken".into()));
                continue;
            }
            // Asleep and without a word: the trial runner itself has to notice.
            (Order::Storm, "storm-hangs") => loop {
                nix::unistd::pause();
            },
            // Guest time passes as slowly here as the host computes, so this is for the host's clocks.
            (Order::Storm, "storm-spins") => {
                console::say(console::HANGS);
                loop {
                    std::hint::spin_loop();
                }
            }
            (Order::Storm, "storm-dies") => {
                eprintln!("saboteur: the storm dies");
                end(storm);
                process::exit(3);
            }
            (Order::Storm, "storm-garbage") => {
                let _ = io::stdout().write_all(&[0xa5; 64]);
                let _ = io::stdout().flush();
            }
            (Order::Storm, "storm-half-answer") => {
                let _ = io::stdout().write_all(&[200, 0, 0, 0, 1]);
                let _ = io::stdout().flush();
                loop {
                    nix::unistd::pause();
                }
            }
            (Order::Storm, known) if !known.starts_with("storm-") => unknown(known),
            _ => {}
        }
        answer(&ask(&mut storm, &order));
    }
    end(storm);
}

fn end(mut storm: Child) {
    let _ = storm.kill();
    let _ = storm.wait();
}

fn ask(storm: &mut Child, order: &Order) -> Answer {
    let orders = storm.stdin.as_mut().expect("asked for above");
    send(orders, order).expect("the real storm takes orders");
    let answers = storm.stdout.as_mut().expect("asked for above");
    receive(answers).expect("the real storm answers")
}

fn answer(answer: &Answer) {
    send(&mut io::stdout(), answer).expect("the trial runner listens");
}
