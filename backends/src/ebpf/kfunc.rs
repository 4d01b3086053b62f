//! Calls of the kernel's own functions (kfuncs), which the loader knows nothing of.
//!
//! Such a call is an instruction whose number is that of the function in the running kernel's type information
//! (`BPF_PSEUDO_KFUNC_CALL`, 5.13). `bpf/lsm.bpf.c` has it written out with a number that no kernel has; here
//! it gets the right one.

use std::borrow::Cow;

use aya::Btf;
use aya_obj::btf::BtfKind;

/// The instruction as it is in the object: opcode, registers, offset, and the number that stands for the function.
const CALL: [u8; 8] = [0x85, 0x20, 0, 0, 0x6b, 0x66, 0x6e, 0x7f];
/// The one that there is.
pub(super) const FUNCTION: &str = "bpf_path_d_path";

/// The object with the number of the function, where it has such a call. A kernel without the function
/// gets the object as it is: it refuses the one program that calls it.
pub(super) fn resolved<'a>(object: &'a [u8], types: &Btf) -> Cow<'a, [u8]> {
    match types.id_by_type_name_kind(FUNCTION, BtfKind::Func) {
        Ok(id) => put(object, id),
        Err(_) => object.into(),
    }
}

/// Why a function cannot be called here; `None` where it can.
pub(super) fn missing(function: &str, types: &Btf) -> Option<String> {
    let error = types.id_by_type_name_kind(function, BtfKind::Func).err()?;
    Some(format!("this kernel has no function {function}: {error}"))
}

fn put(object: &[u8], id: u32) -> Cow<'_, [u8]> {
    match object.windows(CALL.len()).position(|bytes| bytes == CALL) {
        Some(at) => {
            let mut object = object.to_vec();
            object[at + 4..at + 8].copy_from_slice(&id.to_ne_bytes());
            object.into()
        }
        None => object.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::plan, *};

    #[test]
    fn the_object_has_the_call_once_and_nothing_else_changes() {
        let count = |object: &[u8]| object.windows(8).filter(|bytes| *bytes == CALL).count();
        assert_eq!(count(plan::LSM), 1);
        let resolved = put(plan::LSM, 0x0102_0304);
        assert_eq!(count(&resolved), 0);
        let differ = plan::LSM.iter().zip(&*resolved).filter(|(a, b)| a != b);
        assert_eq!(differ.count(), 4);
        assert!(matches!(put(plan::EXEC, 1), Cow::Borrowed(_)));
    }
}
