//! Debits that wait for those before them.

use fermata_payments::{Payment, Transfer, timed};

use crate::books::{Books, InHand};
use crate::state::{DEBITS, Debit, WAITING, Waiting, waiting_key, waiting_prefix};

/// Refusals that one record may release; the rest is left to a `next`, so that a record's work is bounded.
const REFUSALS: usize = 4;

impl Books<'_> {
    /// Behind those that wait already, even when nothing is in flight: they came first.
    pub fn must_wait(&self, payer: &InHand) -> bool {
        payer.account.waiting > 0 || self.blocked(payer)
    }

    fn blocked(&self, payer: &InHand) -> bool {
        self.config.one_debit_in_flight && payer.account.unsettled.count > 0
    }

    /// The caller saves the account.
    pub fn enqueue(&mut self, payer: &mut InHand, opened: i64, payment: &Payment) {
        let place = payer.account.arrivals;
        payer.account.arrivals += 1;
        payer.account.waiting += 1;
        WAITING.put(
            self.cx,
            waiting_key(&payer.name, place),
            &Waiting {
                opened,
                payment: payment.text.to_string(),
            },
        );
        self.new_debit(opened, &payment.terms.id, Debit::Waiting { place });
    }

    /// Releases what waits: one debit, or a few refusals. The caller saves the account.
    pub fn release(&mut self, payer: &mut InHand) {
        for _ in 0..REFUSALS {
            if payer.account.waiting == 0 || self.blocked(payer) {
                return;
            }
            let (opened, payment) = self.dequeue(payer);
            if self.charge(payer, opened, payment) {
                break;
            }
        }
        if payer.account.waiting > 0 && !self.blocked(payer) {
            self.emit(Transfer::Next {
                from: payer.name.clone(),
            });
        }
    }

    /// `next`: the rest of a release. If a debit is in flight again, its end releases the rest.
    pub fn next(&mut self, from: &str) {
        let Some(mut payer) = self.account(from) else { return };
        if payer.account.waiting > 0 && !self.blocked(&payer) {
            self.release(&mut payer);
            self.save(&payer);
        }
    }

    fn dequeue(&mut self, payer: &mut InHand) -> (i64, Payment) {
        let first = WAITING.scan(self.cx, waiting_prefix(&payer.name), None, 1);
        let (key, waiting) = first
            .into_iter()
            .next()
            .expect("as many debits wait as the account counts");
        let payment = Payment::kept(&waiting.payment);
        WAITING.delete(self.cx, key);
        payer.account.waiting -= 1;
        debug_assert!(matches!(
            DEBITS.get(self.cx, timed::key(waiting.opened, &payment.terms.id)),
            Some(Debit::Waiting { .. })
        ));
        (waiting.opened, payment)
    }
}
