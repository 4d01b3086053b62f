//! The monitor's side of the seam: a buffer in front of a file that is only appended to.

use std::{arch::asm, fs::File, io::Write};

use execlab_model::{
    seam::Message,
    sighting::{LossReport, LossUnit, Sighting},
};

/// The seam could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write of {bytes} bytes to the seam failed: {source}")]
pub struct SeamWriteError {
    /// How much was to be written.
    pub bytes: usize,
    /// What the write answered.
    pub source: std::io::Error,
}

/// In which form messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For the trial runner.
    Binary,
    /// For people and for other programs: one JSON object a line.
    JsonLines,
}

/// Where a monitor hands over what it knows.
#[derive(Debug)]
pub struct Seam {
    file: File,
    form: Form,
    buffer: Vec<u8>,
    burden: u32,
}

/// A buffer of this size is written without waiting for [`Seam::flush`].
const FULL: usize = 64 << 10;

impl Seam {
    /// Over a file that is open for appending.
    pub fn new(file: File, form: Form) -> Self {
        Self {
            file,
            form,
            buffer: Vec::with_capacity(2 * FULL),
            burden: 0,
        }
    }

    /// The same seam, which wastes `turns` turns of [`spin`] for each sighting: a slowdown of known
    /// size that any monitor can be given, to prove that the lab shows it. It is no part of any
    /// technique, so it stands here and not in the backends.
    #[must_use]
    pub fn burdened(self, turns: u32) -> Self {
        Self {
            burden: turns,
            ..self
        }
    }

    /// Hands over one sighting.
    pub fn sighting(&mut self, sighting: Sighting) -> Result<(), SeamWriteError> {
        spin(self.burden);
        self.message(&Message::Sighting(sighting))
    }

    /// Hands over one loss report.
    pub fn loss(&mut self, report: LossReport) -> Result<(), SeamWriteError> {
        self.message(&Message::Loss(report))
    }

    /// Hands over a loss of so many, unless there was none.
    pub fn lost(
        &mut self,
        source: &str,
        unit: LossUnit,
        count: u64,
        window_ns: (u64, u64),
    ) -> Result<(), SeamWriteError> {
        if count == 0 {
            return Ok(());
        }
        self.loss(LossReport {
            source: source.to_owned(),
            unit,
            count: Some(count),
            window_ns,
        })
    }

    /// Hands over any message.
    pub fn message(&mut self, message: &Message) -> Result<(), SeamWriteError> {
        match self.form {
            Form::Binary => message.encode_into(&mut self.buffer),
            Form::JsonLines => {
                self.buffer.extend_from_slice(message.to_json().as_bytes());
                self.buffer.push(b'\n');
            }
        }
        if self.buffer.len() >= FULL {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Writes what is buffered. To be called before each wait: a sighting that lies in a buffer
    /// while its monitor sleeps is not delivered.
    pub fn flush(&mut self) -> Result<(), SeamWriteError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.len();
        self.file
            .write_all(&self.buffer)
            .map_err(|source| SeamWriteError { bytes, source })?;
        self.buffer.clear();
        Ok(())
    }
}

/// Turns an empty loop. Its instructions are written out, as no compiler may make them fewer: a turn
/// is two, `sub` and `jnz`, whatever this is built with.
fn spin(turns: u32) {
    if turns == 0 {
        return;
    }
    // SAFETY: it counts a register down that it is given, and touches the flags; no memory, no stack.
    unsafe {
        asm!(
            "2:",
            "sub {turns:e}, 1",
            "jnz 2b",
            turns = inout(reg) turns => _,
            options(nomem, nostack)
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn what_is_handed_over_arrives_in_both_forms() {
        for form in [Form::Binary, Form::JsonLines] {
            let mut file = tempfile::tempfile().unwrap();
            let mut seam = Seam::new(file.try_clone().unwrap(), form);
            let sent = Sighting {
                pid: Some(3),
                received_ns: 4,
                ..Sighting::default()
            };
            seam.sighting(sent.clone()).unwrap();
            seam.flush().unwrap();
            file.rewind().unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let got = match form {
                Form::Binary => Message::decode_all(&bytes).unwrap().0,
                Form::JsonLines => vec![serde_json::from_slice(&bytes).unwrap()],
            };
            assert_eq!(got, [Message::Sighting(sent)]);
        }
    }
}
