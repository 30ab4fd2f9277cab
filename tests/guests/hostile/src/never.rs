//! How any call can fail to end. The hostile validator has it from here.

use std::hint::black_box;

const MIB: usize = 1 << 20;

/// A call that does not come back.
pub fn never(deed: &str) -> ! {
    match deed {
        "loop" => {
            let mut n = 0u64;
            loop {
                n = black_box(n.wrapping_add(1));
            }
        }
        "recurse" => {
            deeper(0);
            unreachable!("a recursion without end ended")
        }
        "allocate" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![black_box(1u8); MIB]);
            }
        }
        "trap" => panic!("this guest traps"),
        unknown => panic!("no deed is called {unknown:?}"),
    }
}

#[allow(unconditional_recursion, reason = "it is the misdeed")]
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    black_box(deeper(black_box(depth + 1)) + 1)
}
