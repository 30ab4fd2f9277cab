//! account: the only judge of money. Debit, credit, refund, cancel; limits and freezes.
//!
//! `payment.inflight`, `account.commands` (by account) → `payment.inflight`, `account.results` (by account)
//! | `payment.complete` | `payment.failed` (by id).
//!
//! The two sides of a payment live on different shards and no transaction spans them. What keeps money whole is that
//! each side decides once, and remembers it: the payer's account whether the money left, the payee's whether it
//! arrived. What is between them is the shard's `clearing`: a debit adds to it, a credit or a refund takes from it, so
//! that on every shard, for each currency, balances + clearing = 0.

mod books;
mod cancel;
mod command;
mod config;
mod credit;
mod debit;
mod describe;
mod queue;
pub mod state;
mod sweep;
#[cfg(test)]
mod tests;
mod views;

use fermata_payments::{Answer, Command, End, Refusal, Transfer, topics, version};
use fermata_stage::{Context, Description, Due, Emission, Input, Reader, Rejection, Stage, ViewError};
use serde_json::Value;

use books::Books;
pub use config::Config;

/// The stage; `MINOR` is that of its version.
pub struct Account<const MINOR: u32> {
    config: Config,
}

/// What an account is told. `verdict`: a validator's no.
pub enum Message {
    Transfer {
        transfer: Transfer,
        verdict: Option<Refusal>,
    },
    Command {
        command: Command,
        verdict: Option<Refusal>,
    },
}

pub enum Output {
    Transfer(Transfer),
    End(End),
    Answer(Answer),
}

impl From<Output> for Emission {
    fn from(output: Output) -> Self {
        match output {
            Output::Transfer(transfer) => transfer.emission(),
            Output::End(end) => end.emission(),
            Output::Answer(answer) => answer.emission(),
        }
    }
}

impl<const MINOR: u32> Stage for Account<MINOR> {
    const NAME: &'static str = "account";
    const VERSION: &'static str = version(MINOR);
    type Config = Config;
    type Message = Message;
    type Output = Output;

    fn describe() -> Description {
        describe::describe(MINOR)
    }

    fn init(config: Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config })
    }

    fn parse(input: Input) -> Result<Message, Rejection> {
        let verdict = Refusal::of_verdicts(&input.verdicts);
        if input.port == topics::COMMANDS {
            Ok(Message::Command {
                command: Command::parse(&input)?,
                verdict,
            })
        } else {
            Ok(Message::Transfer {
                transfer: Transfer::parse(&input)?,
                verdict,
            })
        }
    }

    fn process(&self, cx: &mut dyn Context, message: Message) -> Result<Vec<Output>, Rejection> {
        let mut books = Books::open(cx, &self.config);
        match message {
            Message::Command { command, verdict } => books.command(command, verdict),
            Message::Transfer { transfer, verdict } => match transfer {
                Transfer::Debit { opened, payment } => books.debit(opened, payment, verdict)?,
                Transfer::Credit { opened, payment } => books.credit(opened, payment, verdict)?,
                Transfer::Settled { opened, id, from } => books.settled(opened, &id, &from),
                Transfer::Refund {
                    opened,
                    payment,
                    refusal,
                } => books.refund(opened, payment, refusal),
                Transfer::Cancel { opened, payment, side } => books.cancel(opened, payment, side)?,
                Transfer::Next { from } => books.next(&from),
            },
        }
        Ok(books.close())
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Output>, Rejection> {
        sweep::sweep(cx, &self.config, &timer)?;
        Ok(Vec::new())
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
        views::query(MINOR, cx, view, params)
    }

    fn merge(&self, view: &str, params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        views::merge(view, params, partials)
    }
}

#[cfg(not(any(feature = "v1-1", feature = "library")))]
fermata_stage::export!(Account<0>);
#[cfg(all(feature = "v1-1", not(feature = "library")))]
fermata_stage::export!(Account<1>);
