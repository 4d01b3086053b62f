//! What the kernel leaves on the stack of a new image: arguments, environment, auxiliary vector.

use core::marker::PhantomData;

const AT_UID: usize = 11;
pub const AT_SECURE: usize = 23;

/// The stack at entry.
pub struct Stack<'a> {
    argc: usize,
    argv: *const Text<'a>,
    envp: *const Text<'a>,
}

/// A string of it; may be none at all, which is like an empty one.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text<'a>(*const u8, PhantomData<&'a u8>);

impl<'a> Stack<'a> {
    /// # Safety
    /// `at` is the stack pointer at entry, and nobody writes to the arguments meanwhile but through
    /// [`Text::fill`].
    pub unsafe fn new(at: *const usize) -> Self {
        // SAFETY: argc, as many arguments, a null, then the environment (System V ABI, 3.4.1).
        unsafe {
            let argc = *at;
            let argv = at.add(1).cast::<Text<'a>>();
            let envp = argv.add(argc + 1);
            Self { argc, argv, envp }
        }
    }

    /// Argument number `n`; none behind the last.
    pub fn argument(&self, n: usize) -> Text<'a> {
        // SAFETY: argv ends with a null in place `argc`.
        unsafe { *self.argv.add(n.min(self.argc)) }
    }

    /// How many arguments there are.
    pub fn arguments(&self) -> usize {
        self.argc
    }

    /// Arguments from number `n` on, as exec takes them.
    pub fn arguments_from(&self, n: usize) -> usize {
        // SAFETY: inside of argv, whose null is the last place.
        unsafe { self.argv.add(n.min(self.argc)) as usize }
    }

    /// The environment, as exec takes it.
    pub fn environment(&self) -> usize {
        self.envp as usize
    }

    /// The id and the number of the argument behind it. Without one among the arguments, it is looked for
    /// in the environment; without any it is one that is never given out.
    pub fn id(&self) -> (u32, usize) {
        for n in 0..self.argc {
            if let Some(id) = self.argument(n).id() {
                return (id, n + 1);
            }
        }
        let mut at = self.envp;
        // SAFETY: the environment ends with a null.
        unsafe {
            while !(*at).0.is_null() {
                if let Some(id) = (*at).id() {
                    return (id, self.argc);
                }
                at = at.add(1);
            }
        }
        (u32::MAX, self.argc)
    }

    /// The real uid that the kernel gave to this image: no call needed.
    pub fn real_uid(&self) -> u32 {
        self.auxiliary(AT_UID).map_or(u32::MAX, |uid| uid as u32)
    }

    /// An entry of the auxiliary vector (getauxval(3)).
    pub fn auxiliary(&self, key: usize) -> Option<usize> {
        let mut at = self.envp.cast::<usize>();
        // SAFETY: the environment ends with a null, the auxiliary vector after it with AT_NULL (0).
        unsafe {
            while *at != 0 {
                at = at.add(1);
            }
            let mut pair = at.add(1);
            while *pair != 0 {
                if *pair == key {
                    return Some(*pair.add(1));
                }
                pair = pair.add(2);
            }
        }
        None
    }
}

impl Text<'_> {
    pub fn address(self) -> usize {
        self.0 as usize
    }

    pub fn is_none(self) -> bool {
        self.0.is_null()
    }

    /// The byte in a place that is not behind the NUL.
    fn byte(self, at: usize) -> u8 {
        if self.0.is_null() {
            return 0;
        }
        // Volatile, or a compiler takes the loops below for the C library's, which is not there.
        // SAFETY: reading has stopped at the NUL.
        unsafe { self.0.add(at).read_volatile() }
    }

    /// Its length without the NUL.
    pub fn length(self) -> usize {
        let mut length = 0;
        while self.byte(length) != 0 {
            length += 1;
        }
        length
    }

    pub fn is(self, other: &[u8]) -> bool {
        for (at, &byte) in other.iter().enumerate() {
            if self.byte(at) != byte {
                return false;
            }
        }
        self.byte(other.len()) == 0
    }

    /// `x` and eight lower-case hexadecimal digits.
    fn id(self) -> Option<u32> {
        if self.byte(0) != b'x' {
            return None;
        }
        let mut id = 0;
        for at in 1..9 {
            let digit = match self.byte(at) {
                d @ b'0'..=b'9' => d - b'0',
                d @ b'a'..=b'f' => d - b'a' + 10,
                _ => return None,
            };
            id = id << 4 | u32::from(digit);
        }
        (self.byte(9) == 0).then_some(id)
    }

    /// A decimal number; 0 for no text.
    pub fn decimal(self) -> u64 {
        let (mut n, mut at) = (0_u64, 0);
        while let digit @ b'0'..=b'9' = self.byte(at) {
            n = n.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        n
    }

    /// Overwrites it.
    pub fn fill(self, byte: u8) {
        for at in 0..self.length() {
            // SAFETY: before the NUL; the stack is this process's own memory.
            unsafe { self.0.cast_mut().add(at).write_volatile(byte) };
        }
    }
}
