//! The payer's side: money leaves, and the payee's side says what became of it.

use fermata_payments::{Code, Outcome, Payment, Refusal, Sum, Terms, Transfer, timed};
use fermata_stage::Rejection;

use crate::books::{Books, Dropped, InHand, unknown};
use crate::state::{DEBITS, Debit};

impl Books<'_> {
    /// `debit`: charges the account, or lets the debit wait for those before it.
    pub fn debit(&mut self, opened: i64, payment: Payment, verdict: Option<Refusal>) -> Result<(), Rejection> {
        if self.find_debit(opened, &payment.terms.id)?.is_some() {
            self.drop_message(Dropped::Decided);
            return Ok(());
        }
        let payer = match verdict {
            Some(refusal) => Err(refusal),
            None => self
                .account(&payment.terms.from)
                .ok_or_else(|| unknown(&payment.terms.from)),
        };
        match payer {
            Err(refusal) => self.refuse_debit(opened, payment, refusal),
            Ok(mut payer) => {
                if self.must_wait(&payer) {
                    self.enqueue(&mut payer, opened, &payment);
                    self.release(&mut payer);
                    self.save(&payer);
                } else if self.charge(&mut payer, opened, payment) {
                    self.save(&payer);
                }
            }
        }
        Ok(())
    }

    /// The checks, and the money leaves or not. True: it left. The caller saves the account.
    pub fn charge(&mut self, payer: &mut InHand, opened: i64, payment: Payment) -> bool {
        let Terms { amount, currency, .. } = payment.terms;
        match payer.charge(&payment.terms, self.cx.now()) {
            Ok(()) => {
                self.clear(currency, amount.into());
                self.new_debit(opened, &payment.terms.id, Debit::Open { amount });
                self.cx.add("account_movements_total", &["debit"], 1);
                self.emit(Transfer::Credit { opened, payment });
                true
            }
            Err(refusal) => {
                self.refuse_debit(opened, payment, refusal);
                false
            }
        }
    }

    fn refuse_debit(&mut self, opened: i64, payment: Payment, refusal: Refusal) {
        self.new_debit(opened, &payment.terms.id, Debit::Refused);
        self.end(opened, payment, Outcome::Refused(refusal));
    }

    /// `settled`: the payee has the money.
    pub fn settled(&mut self, opened: i64, id: &str, from: &str) {
        let key = timed::key(opened, id);
        let Some(Debit::Open { amount }) = DEBITS.get(self.cx, &key) else {
            return self.drop_message(Dropped::NotOpen);
        };
        DEBITS.put(self.cx, &key, &Debit::Settled);
        let mut payer = self
            .account(from)
            .expect("an account with an open debit is never removed");
        payer.account.unsettled.remove(amount);
        self.release(&mut payer);
        self.save(&payer);
    }

    /// `refund`: the money comes back, whatever the account's status is by now.
    pub fn refund(&mut self, opened: i64, payment: Payment, refusal: Refusal) {
        let key = timed::key(opened, &payment.terms.id);
        let Some(Debit::Open { amount }) = DEBITS.get(self.cx, &key) else {
            return self.drop_message(Dropped::NotOpen);
        };
        DEBITS.put(self.cx, &key, &Debit::Refunded);
        let mut payer = self
            .account(&payment.terms.from)
            .expect("an account with an open debit is never removed");
        payer.account.unsettled.remove(amount);
        payer.account.refunds.add(amount);
        payer
            .moved(amount, self.cx.now())
            .expect("credits leave room for all that is unsettled");
        self.clear(payer.account.currency, -Sum::from(amount));
        self.cx.add("account_movements_total", &["refund"], 1);
        self.end(opened, payment, Outcome::Refunded(refusal));
        self.release(&mut payer);
        self.save(&payer);
    }
}

impl InHand {
    fn charge(&mut self, terms: &Terms, now: i64) -> Result<(), Refusal> {
        self.permits(terms.currency)?;
        let left = i128::from(self.account.balance) - i128::from(terms.amount);
        if let Some(limit) = self.account.limit
            && left < i128::from(limit)
        {
            return Err(Code::INSUFFICIENT_FUNDS.refusal(format!("{} would go under its limit", self.name)));
        }
        self.moved(-terms.amount, now)
            .ok_or_else(|| Code::AMOUNT_OVERFLOW.refusal(format!("the balance of {} would not fit", self.name)))?;
        self.account.debits.add(terms.amount);
        self.account.unsettled.add(terms.amount);
        Ok(())
    }
}
