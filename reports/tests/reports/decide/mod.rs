//! `execlab decide`: from results and needs to a recommendation.

mod laws;
mod needs;
mod outcomes;
mod pages;

use std::collections::BTreeMap;

use execlab_model::{plan::BackendSpec, result::TrialResult};
use execlab_reports::decide::{Decision, Deployment, Property, Question, Source, decide};

/// What the invented backends ask of those who deploy them.
const ASKS: [(&str, &[&str]); 5] = [
    ("audit", &["audit-owner", "boot-option"]),
    ("ebpf", &["bpf"]),
    ("netlink", &[]),
    ("proc-poll", &[]),
    ("ptrace", &["ptrace"]),
];

pub fn deployments(results: &[TrialResult]) -> BTreeMap<BackendSpec, Deployment> {
    let mut known = BTreeMap::new();
    for trial in results {
        let asks = ASKS.iter().find(|(name, _)| *name == trial.backend.name);
        if let Some((_, properties)) = asks {
            let deployment = Deployment {
                properties: properties.iter().map(|p| (*p).to_owned()).collect(),
                needs: vec!["root".into()],
            };
            known.insert(trial.backend.clone(), deployment);
        }
    }
    known
}

/// A question of these needs and properties, as the command would ask it.
pub fn question(results: &[TrialResult], needs: &[&str], without: &[&str]) -> Question {
    Question {
        needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
        without: without
            .iter()
            .map(|name| Property {
                name: (*name).to_owned(),
                about: format!("it asks for {name}"),
            })
            .collect(),
        deployments: deployments(results),
        containers: vec!["container".into()],
        sources: vec![Source {
            name: "results.jsonl".into(),
            sha256: "0".repeat(64),
            trials: results.len(),
        }],
        command: format!("execlab decide run --need {}", needs.join(" --need ")),
        ..Question::default()
    }
}

pub fn decided(results: &[TrialResult], needs: &[&str], without: &[&str]) -> Decision {
    decide(results, &question(results, needs, without)).unwrap()
}

pub fn names(candidates: &[execlab_reports::decide::Candidate]) -> Vec<&str> {
    candidates.iter().map(|c| c.name.as_str()).collect()
}
