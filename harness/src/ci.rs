//! Workflows that run a matrix in parts, put them together and hold the whole against a baseline.

use askama::Template;

/// Whose workflow it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// GitHub Actions.
    Github,
    /// GitLab CI/CD.
    Gitlab,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Github, Self::Gitlab];

    /// The name used in commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
        }
    }
}

/// What a workflow does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// For whom.
    pub service: Service,
    /// Path of the matrix file in the repository.
    pub matrix: String,
    /// Into how many parts the matrix is divided.
    pub shards: u32,
    /// Name of the baseline.
    pub baseline: String,
}

/// Why a workflow cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` as {what} would have to be quoted in a workflow: use letters, digits, `.`, `-`, `_` and `/`"
)]
pub struct BadWord {
    /// What it was to be.
    pub what: &'static str,
    /// As given.
    pub text: String,
}

#[derive(Template)]
#[template(path = "github.yml", syntax = "workflow", escape = "none")]
struct Github<'a> {
    command: String,
    matrix: &'a str,
    shards: u32,
    /// `1, 2, 3`.
    parts: String,
    baseline: &'a str,
}

#[derive(Template)]
#[template(path = "gitlab.yml", syntax = "workflow", escape = "none")]
struct Gitlab<'a> {
    command: String,
    matrix: &'a str,
    shards: u32,
    baseline: &'a str,
}

impl Workflow {
    /// The workflow as a YAML file.
    pub fn render(&self) -> Result<String, BadWord> {
        let Self {
            service,
            shards,
            matrix,
            baseline,
        } = self;
        plain("a matrix file", matrix)?;
        plain("the name of a baseline", baseline)?;
        let command = format!(
            "execlab ci {} {matrix} --shards {shards} --baseline {baseline}",
            service.as_str()
        );
        let rendered = match service {
            Service::Github => Github {
                command,
                matrix,
                shards: *shards,
                parts: (1..=*shards)
                    .map(|part| part.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
                baseline,
            }
            .render(),
            Service::Gitlab => Gitlab {
                command,
                matrix,
                shards: *shards,
                baseline,
            }
            .render(),
        };
        let mut text = rendered.expect("writing to a string does not fail");
        text.push('\n');
        Ok(text)
    }
}

/// What stands in YAML and in a shell's line without being anything but itself.
fn plain(what: &'static str, text: &str) -> Result<(), BadWord> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if !text.is_empty() && text.chars().all(good) && !text.starts_with('-') {
        return Ok(());
    }
    Err(BadWord {
        what,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_or_yaml_would_take_for_something_else_are_refused() {
        let workflow = |matrix: &str| Workflow {
            service: Service::Github,
            matrix: matrix.to_owned(),
            shards: 2,
            baseline: "main".into(),
        };
        for bad in ["", "-x", "a b", "$(x)", "${{ x }}", "a\nb", "'", "ü"] {
            assert!(workflow(bad).render().is_err(), "{bad}");
        }
        let text = workflow("ci/matrix.toml").render().unwrap();
        assert!(
            text.contains("run ci/matrix.toml --partition \"slice:$PART/2\""),
            "{text}"
        );
        assert!(text.contains("part: [ 1, 2 ]"), "{text}");
    }
}
