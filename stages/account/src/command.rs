//! What operators ask of an account.

use fermata_payments::{Answer, Code, Command, Currency, Order, Refusal};

use crate::books::{Books, InHand, unknown};
use crate::state::{Account, Status};

impl Books<'_> {
    pub fn command(&mut self, command: Command, verdict: Option<Refusal>) {
        let outcome = match verdict {
            Some(refusal) => Err(refusal),
            None => command.order.and_then(|order| self.obey(&command.account, order)),
        };
        self.answer(Answer { account: command.account, id: command.id, command: command.kind, outcome });
    }

    fn obey(&mut self, name: &str, order: Order) -> Result<(), Refusal> {
        let found = self.account(name);
        let in_hand = match (order, found) {
            (Order::Open { currency, limit }, found) => self.opened(name, currency, limit, found)?,
            (_, None) => return Err(unknown(name)),
            (order, Some(mut in_hand)) => {
                in_hand.account.obey(name, order)?;
                in_hand
            }
        };
        self.save(&in_hand);
        Ok(())
    }

    fn opened(&self, name: &str, currency: Currency, limit: i64, found: Option<InHand>) -> Result<InHand, Refusal> {
        let Some(in_hand) = found else { return Ok(self.new_account(name, currency, limit)) };
        if in_hand.account.currency != currency {
            let kept = in_hand.account.currency;
            return Err(Code::CURRENCY_MISMATCH.refusal(format!("{name} is kept in {kept}")));
        }
        match in_hand.account.status {
            Status::Closed => Err(Code::ACCOUNT_CLOSED.refusal(format!("{name} is closed"))),
            Status::Open | Status::Frozen => Err(exists(name, "open")),
        }
    }
}

impl Account {
    fn obey(&mut self, name: &str, order: Order) -> Result<(), Refusal> {
        match (order, self.status) {
            (Order::Close, Status::Closed) => return Err(exists(name, "closed")),
            (_, Status::Closed) => return Err(Code::ACCOUNT_CLOSED.refusal(format!("{name} is closed"))),
            (Order::Freeze, Status::Frozen) => return Err(exists(name, "frozen")),
            (Order::Unfreeze, Status::Open) => return Err(exists(name, "open")),
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
            (Order::Open { .. }, _) => unreachable!("opening is decided before there is an account in hand"),
        }
        Ok(())
    }
}

fn exists(name: &str, what: &str) -> Refusal {
    Code::EXISTS.refusal(format!("{name} is {what} already"))
}
