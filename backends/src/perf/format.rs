//! Where a tracepoint's fields lie: its `format` file in tracefs, as text. Nothing here panics on any input.

/// One field: offset and size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    offset: usize,
    size: usize,
    /// The field says where the value is (`__data_loc`): its offset in the low 16 bits, its length above.
    elsewhere: bool,
}

impl Field {
    /// The field of a name; `None` where the format has none.
    pub fn find(format: &str, name: &str) -> Option<Self> {
        format.lines().find_map(|line| Self::parse(line, name))
    }

    /// `field:__data_loc char[] filename; offset:8; size:4; signed:0;`, with tabs.
    fn parse(line: &str, wanted: &str) -> Option<Self> {
        let mut parts = line.split(';').map(str::trim);
        let declared = parts.next()?.strip_prefix("field:")?;
        let name = declared.rsplit(' ').next()?;
        // An array carries its length behind its name.
        if name.split('[').next()? != wanted {
            return None;
        }
        Some(Self {
            offset: parts.next()?.strip_prefix("offset:")?.parse().ok()?,
            size: parts.next()?.strip_prefix("size:")?.parse().ok()?,
            elsewhere: declared.starts_with("__data_loc "),
        })
    }

    /// The number in a record.
    pub fn number(self, raw: &[u8]) -> Option<i64> {
        let bytes = raw.get(self.offset..self.offset.checked_add(self.size)?)?;
        Some(match self.size {
            8 => i64::from_ne_bytes(bytes.try_into().ok()?),
            4 => i64::from(i32::from_ne_bytes(bytes.try_into().ok()?)),
            2 => i64::from(i16::from_ne_bytes(bytes.try_into().ok()?)),
            _ => return None,
        })
    }

    /// The string in a record, without its end.
    pub fn string(self, raw: &[u8]) -> Option<&[u8]> {
        if !self.elsewhere || self.size != 4 {
            return None;
        }
        let place = u32::from_ne_bytes(raw.get(self.offset..)?.get(..4)?.try_into().ok()?);
        let (offset, length) = ((place & 0xffff) as usize, (place >> 16) as usize);
        let bytes = raw.get(offset..offset + length)?;
        bytes.split(|&b| b == 0).next()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of Linux 6.12.
    const EXEC: &str = "name: sched_process_exec\nID: 287\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;\n\
        \tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n\
        \tfield:pid_t old_pid;\toffset:16;\tsize:4;\tsigned:1;\n\n\
        print fmt: \"filename=%s pid=%d old_pid=%d\", __get_str(filename), REC->pid, REC->old_pid\n";

    fn raw(name: &[u8], pid: i32) -> Vec<u8> {
        let length = u32::try_from(name.len() + 1).unwrap();
        let mut raw = vec![0; 8];
        raw.extend_from_slice(&(0x14 | length << 16).to_ne_bytes());
        raw.extend_from_slice(&pid.to_ne_bytes());
        raw.extend_from_slice(&[0; 4]);
        raw.extend_from_slice(name);
        raw.push(0);
        raw
    }

    #[test]
    fn fields_are_found_by_their_names() {
        assert_eq!(Field::find(EXEC, "name"), None);
        assert_eq!(Field::find(EXEC, "old"), None);
        let pid = Field {
            offset: 12,
            size: 4,
            elsewhere: false,
        };
        assert_eq!(Field::find(EXEC, "pid"), Some(pid));
        let array = "field:char oldcomm[16];\toffset:12;\tsize:16;\tsigned:0;";
        assert!(Field::find(array, "oldcomm").is_some());
    }

    proptest! {
        #[test]
        fn values_come_back(name in proptest::collection::vec(1u8.., 0..300), pid in any::<i32>()) {
            let raw = raw(&name, pid);
            let field = |name| Field::find(EXEC, name).unwrap();
            prop_assert_eq!(field("filename").string(&raw), Some(name.as_slice()));
            prop_assert_eq!(field("pid").number(&raw), Some(i64::from(pid)));
            prop_assert_eq!(field("pid").string(&raw), None);
        }

        #[test]
        fn garbage_never_panics(
            text in ".{0,120}",
            raw in proptest::collection::vec(any::<u8>(), 0..60),
            numbers in any::<[u16; 2]>(),
            elsewhere in any::<bool>(),
        ) {
            let _ = Field::find(&text, "x");
            let [offset, size] = numbers.map(usize::from);
            let field = Field { offset, size, elsewhere };
            let _ = (field.number(&raw), field.string(&raw));
            let line = format!("field:__data_loc x;offset:{text};size:4");
            let _ = Field::find(&line, "x");
        }
    }
}
