//! The payee's side, which alone decides whether a payment that was debited is complete or goes back.

use fermata_payments::{Code, Outcome, Payment, Refusal, Sum, Terms, Transfer};
use fermata_stage::Rejection;

use crate::books::{Books, Dropped, InHand, unknown};
use crate::state::Credit;

impl Books<'_> {
    /// `credit`: the money arrives, or is sent back.
    pub fn credit(&mut self, opened: i64, payment: Payment, verdict: Option<Refusal>) -> Result<(), Rejection> {
        if self.find_credit(opened, &payment.terms.id)?.is_some() {
            self.drop_message(Dropped::Decided);
            return Ok(());
        }
        match verdict.map_or_else(|| self.accept(&payment.terms), Err) {
            Ok(()) => {
                let Terms { id, from, .. } = payment.terms.clone();
                self.new_credit(opened, &id, Credit::Credited);
                self.cx.add("account_movements_total", &["credit"], 1);
                self.end(opened, payment, Outcome::Complete);
                self.emit(Transfer::Settled { opened, id, from });
            }
            Err(refusal) => {
                self.new_credit(opened, &payment.terms.id, Credit::Refunded);
                self.emit(Transfer::Refund {
                    opened,
                    payment,
                    refusal,
                });
            }
        }
        Ok(())
    }

    fn accept(&mut self, terms: &Terms) -> Result<(), Refusal> {
        let mut payee = match self.account(&terms.to) {
            Some(payee) => payee,
            None if self.config.auto_open => self.new_account(&terms.to, terms.currency, 0),
            None => return Err(unknown(&terms.to)),
        };
        payee.receive(terms, self.cx.now())?;
        self.clear(terms.currency, -Sum::from(terms.amount));
        self.save(&payee);
        Ok(())
    }
}

impl InHand {
    fn receive(&mut self, terms: &Terms, now: i64) -> Result<(), Refusal> {
        self.permits(terms.currency)?;
        // What is unsettled may come back at any time, and a refund cannot be refused.
        let highest = Sum::from(self.account.balance) + self.account.unsettled.value_minor + Sum::from(terms.amount);
        if highest > Sum::from(i64::MAX) {
            return Err(Code::AMOUNT_OVERFLOW.refusal(format!("the balance of {} would not fit", self.name)));
        }
        self.moved(terms.amount, now).expect("less than what was checked");
        self.account.credits.add(terms.amount);
        Ok(())
    }
}
