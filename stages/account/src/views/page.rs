//! The view `accounts`: a page, sorted and filtered.

use std::cmp::Ordering;

use fermata_payments::{Currency, Params, Sum};
use fermata_stage::{Reader, ViewError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::{FIGURES, Row};
use crate::state::{ACCOUNTS, LEDGER, Status};

const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 500;
/// Accounts read at a time.
const PAGE: u32 = 256;

pub const PARAMS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "limit": { "type": "integer", "minimum": 1, "maximum": 500, "default": 50 },
    "cursor": { "type": "string", "description": "next of the page before" },
    "sort": { "enum": ["id", "balance", "last_amount", "last_at", "debits", "credits"], "default": "id" },
    "order": { "enum": ["asc", "desc"], "default": "asc" },
    "prefix": { "type": "string", "description": "beginning of the id" },
    "currency": { "type": "string", "pattern": "^[A-Z]{3}$" },
    "status": { "enum": ["open", "frozen", "closed"] }
  }
}"#;

pub struct Request<'a> {
    limit: usize,
    sort: &'a str,
    descending: bool,
    cursor: Option<Place>,
    prefix: &'a str,
    currency: Option<Currency>,
    status: Option<Status>,
}

/// Where a row stands: by the figure, then by the id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    figure: Sum,
    id: String,
}

/// A part and the answer alike. `total`: accounts ever opened, before any filter.
#[derive(Serialize, Deserialize)]
pub struct Page {
    accounts: Vec<Row>,
    next: Option<String>,
    total: u64,
}

impl<'a> Request<'a> {
    pub fn new(params: &'a Value) -> Result<Self, ViewError> {
        let params = Params::new(
            params,
            &["limit", "cursor", "sort", "order", "prefix", "currency", "status"],
        )?;
        let bad = |name: &str, found: &str| ViewError::BadParams(format!("{name} is {found}; see the schema"));
        let sort = params.text("sort")?.unwrap_or("id");
        if sort != "id" && !FIGURES.contains(&sort) {
            return Err(bad("sort", sort));
        }
        let descending = match params.text("order")?.unwrap_or("asc") {
            "asc" => false,
            "desc" => true,
            other => return Err(bad("order", other)),
        };
        let cursor = match params.text("cursor")? {
            None => None,
            Some(text) => Some(Place::read(text).ok_or_else(|| bad("cursor", text))?),
        };
        let currency = match params.text("currency")? {
            None => None,
            Some(code) => Some(Currency::parse(code).ok_or_else(|| bad("currency", code))?),
        };
        let status = match params.text("status")? {
            None => None,
            Some("open") => Some(Status::Open),
            Some("frozen") => Some(Status::Frozen),
            Some("closed") => Some(Status::Closed),
            Some(other) => return Err(bad("status", other)),
        };
        let limit = params.limit("limit", DEFAULT_LIMIT, MOST)?;
        Ok(Self {
            limit,
            sort,
            descending,
            cursor,
            prefix: params.text("prefix")?.unwrap_or(""),
            currency,
            status,
        })
    }

    fn place(&self, row: &Row) -> Place {
        Place {
            figure: row.figure(self.sort).unwrap_or_default(),
            id: row.id.clone(),
        }
    }

    fn compare(&self, one: &Place, other: &Place) -> Ordering {
        if self.descending {
            other.cmp(one)
        } else {
            one.cmp(other)
        }
    }

    fn wants(&self, row: &Row) -> bool {
        self.currency.is_none_or(|currency| row.currency == currency)
            && self.status.is_none_or(|status| row.status == status)
            && self
                .cursor
                .as_ref()
                .is_none_or(|cursor| self.compare(cursor, &self.place(row)).is_lt())
    }

    /// Sorted; one more than the page holds, so that it is known whether another follows.
    fn first(&self, rows: &mut Vec<Row>) {
        rows.sort_by(|one, other| self.compare(&self.place(one), &self.place(other)));
        rows.truncate(self.limit + 1);
    }
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (figure, id) = text.split_once(':')?;
        Some(Self {
            figure: Sum(figure.parse().ok()?),
            id: id.to_owned(),
        })
    }

    fn write(&self) -> String {
        format!("{}:{}", self.figure, self.id)
    }
}

pub fn query(minor: u32, cx: &dyn Reader, request: &Request<'_>) -> Page {
    // By id the store's own order serves: the page is read from where it begins, and no further.
    let in_order = request.sort == "id" && !request.descending;
    let mut after = request
        .cursor
        .as_ref()
        .filter(|_| in_order)
        .map(|cursor| cursor.id.clone().into_bytes());
    let mut rows = Vec::new();
    loop {
        let entries = ACCOUNTS.scan(cx, request.prefix, after.as_deref(), PAGE);
        let Some((last, _)) = entries.last() else { break };
        after = Some(last.clone());
        let page = entries
            .iter()
            .map(|(id, account)| Row::new(minor, &String::from_utf8_lossy(id), account));
        rows.extend(page.filter(|row| request.wants(row)));
        if in_order && rows.len() > request.limit {
            break;
        }
        // What cannot be on the page need not be kept.
        if rows.len() > 4 * request.limit {
            request.first(&mut rows);
        }
    }
    request.first(&mut rows);
    Page {
        accounts: rows,
        next: None,
        total: LEDGER.get(cx, "all").unwrap_or_default().accounts,
    }
}

pub fn merge(request: &Request<'_>, parts: Vec<Page>) -> Page {
    let total = parts.iter().map(|part| part.total).sum();
    let mut rows: Vec<Row> = parts.into_iter().flat_map(|part| part.accounts).collect();
    request.first(&mut rows);
    let more = rows.len() > request.limit;
    rows.truncate(request.limit);
    let next = rows.last().filter(|_| more).map(|last| request.place(last).write());
    Page {
        accounts: rows,
        next,
        total,
    }
}
