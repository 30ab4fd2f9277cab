//! What the stages of the payment pipeline share: the messages, integer money, times, and the codes of refusals.
//!
//! Bytes become these types at the border of a stage ([`Incoming::parse`], [`Transfer::parse`], [`End::parse`],
//! [`Order::parse`]) and are trusted inside. A record that cannot be one of them is the stage's own rejection, a dead
//! letter; a payment that may not pass is not: it ends in `payment.rejected` or `payment.failed`, with a [`Refusal`].

mod code;
mod command;
mod currency;
mod end;
mod incoming;
mod money;
mod params;
mod payment;
mod span;
pub mod time;
pub mod timed;
mod transfer;

pub use code::{CODES, Code, Refusal};
pub use command::{Answer, Command, Order};
pub use currency::{Currency, funding_account, is_funding};
pub use end::{Confirmed, End, Outcome, Rejected};
pub use incoming::{Content, Fingerprint, Incoming};
pub use money::{Sum, Tally};
pub use params::Params;
pub use payment::{MAX_MESSAGE, Payment, Terms};
pub use span::Span;
pub use transfer::{Side, Transfer};

/// The version of every message that these stages write and accept.
pub const MESSAGE_VERSION: u32 = 1;

/// Topics, which are also the names of the input ports.
pub mod topics {
    pub const INCOMING: &str = "payment.incoming";
    pub const ACCEPTED: &str = "payment.accepted";
    pub const INFLIGHT: &str = "payment.inflight";
    pub const COMPLETE: &str = "payment.complete";
    pub const FAILED: &str = "payment.failed";
    pub const COMMANDS: &str = "account.commands";
}

/// The version of a stage, by its minor number: both minors are built from one source.
///
/// # Panics
/// At compile time, for a minor that does not exist.
pub const fn version(minor: u32) -> &'static str {
    match minor {
        0 => "1.0.0",
        1 => "1.1.0",
        _ => panic!("the stages have the versions 1.0.0 and 1.1.0"),
    }
}
