//! From arguments to a plan.

use execlab_harness::{
    matrix::{self, Given, MatrixError, Selection},
    plan::Plan,
    program::PREFIX,
    registry::Registry,
};

use super::args::SelectionArgs;

impl SelectionArgs {
    /// What options and file say together.
    pub fn read(self) -> Result<Selection, MatrixError> {
        let file = match &self.matrix {
            Some(path) => matrix::read(path)?,
            None => Selection::default(),
        };
        Ok(self.flags().over(file))
    }

    fn flags(self) -> Selection {
        let one = |flag, text: Option<String>| Some(Given::flag(flag, text?));
        Selection {
            kernels: many("--kernels", self.kernels),
            backends: many("--backends", self.backends),
            workloads: many("--workloads", self.workloads),
            loads: many("--load", self.load),
            execs: one("--execs", self.execs),
            lifetimes: many("--lifetime", self.lifetime),
            spawns: many("--spawn", self.spawn),
            populations: many("--population", self.population),
            seeds: one("--seeds", self.seeds),
            lab: one("--lab", self.lab),
            cpus: one("--cpus", self.cpus),
            baselines: one("--baselines", self.baselines),
            limits: many("--limits", self.limits),
            variants: Vec::new(),
            programs: Vec::new(),
        }
    }
}

/// The plan of a selection.
pub fn plan(selection: Selection, registry: &Registry) -> Result<Plan, MatrixError> {
    Ok(Plan::of(&matrix::resolve(selection, registry)?))
}

/// The values of an option that takes several, divided by commas or given one by one.
fn many(flag: &'static str, texts: Option<Vec<String>>) -> Option<Vec<Given>> {
    let mut values: Vec<Given> = Vec::new();
    for text in texts? {
        for piece in text.split(',') {
            // The end of a command may stand between quotation marks.
            let part = match piece.trim_start() {
                command if command.starts_with(PREFIX) && shlex::split(command).is_none() => {
                    command
                }
                part => part.trim_end(),
            };
            match values.last_mut() {
                // Nor does one between quotation marks of a command, which are still open then.
                Some(last)
                    if last.text.starts_with(PREFIX) && shlex::split(&last.text).is_none() =>
                {
                    last.text.push(',');
                    last.text.push_str(piece);
                }
                _ if part.is_empty() => {}
                // The comma in `path:IMAGE,modules=DIR` divides nothing.
                Some(last) if part.starts_with("modules=") && last.text.starts_with("path:") => {
                    last.text.push(',');
                    last.text.push_str(part);
                }
                _ => values.push(Given::flag(flag, part)),
            }
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_divided_by_commas_or_given_one_by_one() {
        let split = |texts: &[&str]| -> Vec<String> {
            let texts = texts.iter().map(|t| (*t).to_owned()).collect();
            let given = many("--kernels", Some(texts)).unwrap();
            given.into_iter().map(|g| g.text).collect()
        };
        assert_eq!(split(&["6.1, 6.12", "5.10"]), ["6.1", "6.12", "5.10"]);
        assert_eq!(
            split(&["6.1,path:/k/bzImage,modules=/k/m,5.10"]),
            ["6.1", "path:/k/bzImage,modules=/k/m", "5.10"]
        );
        assert_eq!(
            split(&["exec:./m --fields 'pid , path' , netlink"]),
            ["exec:./m --fields 'pid , path' ", "netlink"]
        );
        assert!(split(&[""]).is_empty());
        assert_eq!(many("--kernels", None), None);
    }
}
