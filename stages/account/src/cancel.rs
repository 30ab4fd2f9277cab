//! A payment that takes too long. Inflight only asks; what has become of the money decides.

use fermata_payments::{Code, Outcome, Payment, Refusal, Side, Transfer};
use fermata_stage::Rejection;

use crate::books::{Books, Dropped};
use crate::state::{Credit, Debit, WAITING, waiting_key};

impl Books<'_> {
    pub fn cancel(&mut self, opened: i64, payment: Payment, side: Side) -> Result<(), Rejection> {
        match side {
            Side::From => self.cancel_debit(opened, payment),
            Side::To => self.cancel_credit(opened, payment),
        }
    }

    /// If the money has not left, it never will. If it has, the payee's side must say whether it arrived: the cancel
    /// goes the way of the credit, and so comes behind it.
    fn cancel_debit(&mut self, opened: i64, payment: Payment) -> Result<(), Rejection> {
        match self.find_debit(opened, &payment.terms.id)? {
            None => {
                self.new_debit(opened, &payment.terms.id, Debit::Cancelled);
                self.end(opened, payment, Outcome::Refused(timed_out()));
            }
            Some(Debit::Waiting { place }) => {
                let mut payer = self
                    .account(&payment.terms.from)
                    .expect("an account with a waiting debit is never removed");
                payer.account.waiting -= 1;
                WAITING.delete(self.cx, waiting_key(&payer.name, place));
                self.save(&payer);
                self.new_debit(opened, &payment.terms.id, Debit::Cancelled);
                self.end(opened, payment, Outcome::Refused(timed_out()));
            }
            Some(Debit::Open { .. }) => self.emit(Transfer::Cancel {
                opened,
                payment,
                side: Side::To,
            }),
            Some(Debit::Settled | Debit::Refunded | Debit::Refused | Debit::Cancelled) => {
                self.drop_message(Dropped::Decided);
            }
        }
        Ok(())
    }

    fn cancel_credit(&mut self, opened: i64, payment: Payment) -> Result<(), Rejection> {
        if self.find_credit(opened, &payment.terms.id)?.is_some() {
            self.drop_message(Dropped::Decided);
            return Ok(());
        }
        self.new_credit(opened, &payment.terms.id, Credit::Cancelled);
        self.emit(Transfer::Refund {
            opened,
            payment,
            refusal: timed_out(),
        });
        Ok(())
    }
}

fn timed_out() -> Refusal {
    Code::TIMED_OUT.refusal("it took too long")
}
