//! What operators ask of an account.

use fermata_payments::{Answer, Code, Command, Order, Refusal};

use crate::books::{Books, unknown};
use crate::state::{Account, Status};

impl Books<'_> {
    pub fn command(&mut self, command: Command, verdict: Option<Refusal>) {
        let outcome = match verdict {
            Some(refusal) => Err(refusal),
            None => command.order.and_then(|order| self.obey(&command.account, order)),
        };
        self.answer(Answer {
            account: command.account,
            id: command.id,
            command: command.kind,
            outcome,
        });
    }

    fn obey(&mut self, name: &str, order: Order) -> Result<(), Refusal> {
        let in_hand = match (self.account(name), order) {
            (Some(mut in_hand), order) => {
                in_hand.account.obey(name, order)?;
                in_hand
            }
            (None, Order::Open { currency, limit }) => self.new_account(name, currency, limit),
            (None, _) => return Err(unknown(name)),
        };
        self.save(&in_hand);
        Ok(())
    }
}

impl Account {
    fn obey(&mut self, name: &str, order: Order) -> Result<(), Refusal> {
        match (order, self.status) {
            (Order::Open { currency, .. }, _) if currency != self.currency => {
                return Err(Code::CURRENCY_MISMATCH.refusal(format!("{name} is kept in {}", self.currency)));
            }
            (Order::Close, Status::Closed) => return Err(exists(name, "closed")),
            (_, Status::Closed) => return Err(Code::ACCOUNT_CLOSED.refusal(format!("{name} is closed"))),
            (Order::Freeze, Status::Frozen) => return Err(exists(name, "frozen")),
            (Order::Open { .. }, _) | (Order::Unfreeze, Status::Open) => return Err(exists(name, "open")),
            (Order::Freeze, Status::Open) => self.status = Status::Frozen,
            (Order::Unfreeze, Status::Frozen) => self.status = Status::Open,
            (Order::Close, Status::Open | Status::Frozen) => {
                if self.waiting > 0 || self.unsettled.count > 0 {
                    let (waiting, unsettled) = (self.waiting, self.unsettled.count);
                    return Err(Code::UNSETTLED.refusal(format!("{waiting} debits wait, {unsettled} are not settled")));
                }
                if self.balance != 0 {
                    return Err(Code::BALANCE_NOT_ZERO.refusal(format!("the balance is {}", self.balance)));
                }
                self.status = Status::Closed;
            }
            (Order::Limit { limit }, Status::Open | Status::Frozen) => match self.limit {
                None => return Err(Code::NO_LIMIT.refusal(format!("{name} funds a currency and has no limit"))),
                Some(present) if present == limit => return Err(exists(name, "of this limit")),
                Some(_) => self.limit = Some(limit),
            },
        }
        Ok(())
    }
}

fn exists(name: &str, what: &str) -> Refusal {
    Code::EXISTS.refusal(format!("{name} is {what} already"))
}
