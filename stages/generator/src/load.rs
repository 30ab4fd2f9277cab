//! The load: payments between plain accounts, and bad ones among them.

use fermata_payments::{funding_account, time};
use fermata_stage::Emission;
use serde_json::{Value, json};

use crate::config::Kind;
use crate::random::Random;
use crate::setup::{FULL, KEPT, OWING, SPECIAL, closed, command, frozen, poor};
use crate::{Generator, PAYMENTS, payment, plain};

impl Generator {
    /// The draws stand in one order for all kinds, so that the shares of bad input change nothing about the rest.
    pub(crate) fn load(&self, random: &mut Random, sequence: u64, due: i64) -> Vec<Emission> {
        let kind = self.config.bad.kind(random.fraction());
        let (from, to) = self.pair(random);
        let amount = self.amount(random);
        let id = self.id(sequence);
        let good = json!({
            "id": id,
            "from": plain(from),
            "to": plain(to),
            "amount": amount,
            "currency": self.config.currency,
            "at": time::format(due),
        });
        match kind {
            Kind::Good => vec![payment(&id, &good)],
            Kind::Repeated => vec![payment(&id, &good), payment(&id, &good)],
            Kind::DuplicateId => {
                let mut other = good.clone();
                other["amount"] = json!(amount + 1);
                vec![payment(&id, &good), payment(&id, &other)]
            }
            Kind::BadJson => {
                let text = good.to_string();
                vec![
                    Emission::new(PAYMENTS)
                        .with_key(id)
                        .with_value(&text.as_bytes()[..text.len() - 1]),
                ]
            }
            // Its content asks for another key than it has.
            Kind::KeyMismatch => vec![payment(&format!("not-{id}"), &good)],
            Kind::UnknownType | Kind::Exists | Kind::BalanceNotZero | Kind::NoLimit => {
                vec![self.bad_command(kind, &id)]
            }
            bad => {
                let mut value = good;
                self.spoil(bad, &mut value, random);
                vec![payment(&id, &value)]
            }
        }
    }

    fn bad_command(&self, kind: Kind, id: &str) -> Emission {
        let currency = self.config.currency;
        match kind {
            Kind::Exists => command(
                KEPT,
                &json!({ "v": 1, "type": "open", "account": KEPT, "currency": currency, "id": id }),
            ),
            Kind::BalanceNotZero => command(KEPT, &json!({ "v": 1, "type": "close", "account": KEPT, "id": id })),
            Kind::NoLimit => {
                let account = funding_account(currency);
                command(
                    &account,
                    &json!({ "v": 1, "type": "limit", "account": account, "limit": 0, "id": id }),
                )
            }
            _ => command(KEPT, &json!({ "v": 1, "type": "rename", "account": KEPT, "id": id })),
        }
    }

    /// Two accounts that differ.
    fn pair(&self, random: &mut Random) -> (u64, u64) {
        let (from, to) = (self.zipf.draw(random), self.zipf.draw(random));
        let accounts = u64::from(self.config.accounts);
        // Drawing anew until they differ would take long where one account has nearly all the weight.
        if from == to {
            (from, (to + 1 + random.below(accounts - 1)) % accounts)
        } else {
            (from, to)
        }
    }

    /// The smaller of two draws: half of the payments are below three tenths of the range.
    fn amount(&self, random: &mut Random) -> i64 {
        let range = self.config.amount.max - self.config.amount.min + 1;
        let range = u64::try_from(range).expect("the config was checked");
        let above = random.below(range).min(random.below(range));
        self.config.amount.min + i64::try_from(above).expect("within the range")
    }

    fn spoil(&self, kind: Kind, payment: &mut Value, random: &mut Random) {
        let side = if random.below(2) == 0 { "from" } else { "to" };
        let special = random.below(SPECIAL);
        match kind {
            Kind::MissingField => payment["to"] = Value::Null,
            Kind::UnknownVersion => payment["v"] = json!(2),
            Kind::BadAmount => payment["amount"] = json!(-1),
            Kind::BadCurrency => payment["currency"] = json!("???"),
            Kind::BadTime => payment["at"] = json!("yesterday"),
            Kind::TooOld => payment["at"] = json!("2001-01-01T00:00:00Z"),
            Kind::SameAccount => payment["to"] = payment["from"].clone(),
            Kind::TooLarge => payment["amount"] = json!(i64::MAX),
            Kind::UnknownAccount => payment["from"] = json!(format!("nobody-{special}")),
            Kind::InsufficientFunds => payment["from"] = json!(poor(special)),
            Kind::AccountFrozen => payment[side] = json!(frozen(special)),
            Kind::AccountClosed => payment[side] = json!(closed(special)),
            Kind::CurrencyMismatch => payment["currency"] = json!(self.config.other_currency),
            Kind::AmountOverflow => {
                payment["from"] = json!(OWING);
                payment["to"] = json!(FULL);
                payment["currency"] = json!(self.config.other_currency);
            }
            Kind::Good
            | Kind::Repeated
            | Kind::DuplicateId
            | Kind::BadJson
            | Kind::KeyMismatch
            | Kind::UnknownType
            | Kind::Exists
            | Kind::BalanceNotZero
            | Kind::NoLimit => {}
        }
    }
}
