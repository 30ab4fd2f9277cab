//! What reserve keeps: a balance for each article, and the orders that wait for their money.

use fermata_stage::Table;
use serde::{Deserialize, Serialize};

/// By name.
pub const ARTICLES: Table<Article> = Table::new("articles", 1);
/// By [`order_key`]: the orders of one article lie together, in the order of their numbers.
pub const OPEN: Table<Open> = Table::new("open", 1);

/// Quantities in pieces, the rest counts messages. What is reserved is not here: [`OPEN`] has it, and
/// `delivered = available + reserved + sold` says whether both agree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    pub delivered: u64,
    pub available: u64,
    pub sold: u64,
    /// The highest number of an order so far.
    pub last: u64,
    pub deliveries: u64,
    pub orders: u64,
    pub repeated: u64,
    pub paid: u64,
    pub unpaid: u64,
    pub sold_out: u64,
}

/// An order that waits for its money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub quantity: u32,
    /// Milliseconds since the epoch.
    pub until: i64,
}

/// The article, a zero byte, and the number with its highest byte first. No article's name has a zero byte.
pub fn order_key(article: &str, number: u64) -> Vec<u8> {
    [article.as_bytes(), &[0], &number.to_be_bytes()].concat()
}

/// Article and number of an [`order_key`].
pub fn split(key: &[u8]) -> (&str, u64) {
    let (article, number) = key
        .split_last_chunk::<8>()
        .and_then(|(article, number)| Some((article.strip_suffix(&[0])?, number)))
        .expect("a key that order_key made");
    let article = std::str::from_utf8(article).expect("articles are ASCII");
    (article, u64::from_be_bytes(*number))
}
