//! The messages of the orders example: Protocol Buffers, as `orders.proto` describes them.
//!
//! The host sees bytes. What they mean is between the stages, and this crate is all that they share.

mod wire;

pub use wire::{Name, article, decode, emission};

/// A record of `order.requests`; its key is the article.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    pub kind: Option<Kind>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum Kind {
    #[prost(message, tag = "1")]
    Delivery(Delivery),
    #[prost(message, tag = "2")]
    Order(Order),
    #[prost(message, tag = "3")]
    Payment(Payment),
}

/// Goods have come in.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Delivery {
    #[prost(uint32, tag = "1")]
    pub quantity: u32,
}

/// Numbers of one article's orders ascend: one that does not is an order that has come again.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Order {
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(uint32, tag = "2")]
    pub quantity: u32,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Payment {
    #[prost(uint64, tag = "1")]
    pub number: u64,
}

/// From `reserve` to `ship`, on the article's shard; the key is the article.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sold {
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(uint32, tag = "2")]
    pub quantity: u32,
}

/// An order that ends exactly once, as [`Cancelled`] or [`Shipped`]. The key of all three is [`Name`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Opened {
    #[prost(string, tag = "1")]
    pub article: String,
    #[prost(uint64, tag = "2")]
    pub number: u64,
    #[prost(uint32, tag = "3")]
    pub quantity: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Cancelled {
    #[prost(string, tag = "1")]
    pub article: String,
    #[prost(uint64, tag = "2")]
    pub number: u64,
    #[prost(enumeration = "Reason", tag = "3")]
    pub reason: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Shipped {
    #[prost(string, tag = "1")]
    pub article: String,
    #[prost(uint64, tag = "2")]
    pub number: u64,
    #[prost(uint32, tag = "3")]
    pub quantity: u32,
    /// Counts the parcels of the article, from 1.
    #[prost(uint64, tag = "4")]
    pub parcel: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Reason {
    Unknown = 0,
    SoldOut = 1,
    Unpaid = 2,
}

/// The version of all messages, as ports declare it.
pub const VERSION: u32 = 1;
