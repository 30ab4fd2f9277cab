//! ship: packs what was sold, and counts the parcels of each article.
//!
//! `order.sold` (by article) → `order.shipped` (by order).

#[cfg(test)]
mod tests;

use fermata_stage::{
    Context, Description, Emission, Input, NoConfig, Reader, Rejection, Stage, Table, ViewError, ViewScope,
};
use orders_messages::{Name, Shipped, Sold, VERSION, article, decode, emission};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The stage; `MINOR` is that of its version.
pub struct Ship<const MINOR: u32>;

/// By article.
const PARCELS: Table<Parcels> = Table::new("parcels", 1);

/// An entry, and a part of the view's answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Parcels {
    parcels: u64,
    pieces: u64,
}

const NO_PARAMS: &str = r#"{"type":"object","additionalProperties":false}"#;
const ANSWER: &str = r#"{
  "type": "object",
  "properties": {
    "parcels": { "type": "integer" },
    "pieces": { "type": "integer" },
    "pieces_per_parcel": { "type": ["number", "null"], "description": "since 1.1.0" }
  }
}"#;

pub struct Output(Shipped);

impl From<Output> for Emission {
    fn from(Output(shipped): Output) -> Self {
        let name = Name {
            article: &shipped.article,
            number: shipped.number,
        };
        emission("shipped", name.to_string(), &shipped)
    }
}

impl<const MINOR: u32> Stage for Ship<MINOR> {
    const NAME: &'static str = "ship";
    const VERSION: &'static str = if MINOR == 0 { "1.0.0" } else { "1.1.0" };
    type Config = NoConfig;
    type Message = (String, Sold);
    type Output = Output;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("order.sold", &[VERSION])
            .output("shipped", &[VERSION])
            .store(PARCELS.decl())
            .view("shipments", ViewScope::AllShards, NO_PARAMS, ANSWER)
            .counter("pieces_shipped_total", "pieces", "Pieces shipped.", &[])
    }

    fn init(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn parse(input: Input) -> Result<(String, Sold), Rejection> {
        Ok((article(&input)?, decode(&input)?))
    }

    fn process(&self, cx: &mut dyn Context, (article, sold): (String, Sold)) -> Result<Vec<Output>, Rejection> {
        let mut of_article = PARCELS.get(cx, &article).unwrap_or_default();
        of_article.parcels += 1;
        of_article.pieces += u64::from(sold.quantity);
        PARCELS.put(cx, &article, &of_article);
        cx.add("pieces_shipped_total", &[], u64::from(sold.quantity));
        Ok(vec![Output(Shipped {
            article,
            number: sold.number,
            quantity: sold.quantity,
            parcel: of_article.parcels,
        })])
    }

    fn query(&self, cx: &dyn Reader, view: &str, _params: &Value) -> Result<Value, ViewError> {
        if view != "shipments" {
            return Err(ViewError::NotFound);
        }
        let sum = sum(PARCELS.iter(cx).map(|(_, of_article)| of_article));
        Ok(json!(sum))
    }

    fn merge(&self, view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        let parts: Result<Vec<Parcels>, _> = partials.into_iter().map(serde_json::from_value).collect();
        let parts = parts.map_err(|error| ViewError::BadParams(format!("a part of {view} cannot be read: {error}")))?;
        let sum = sum(parts.into_iter());
        let mut answer = json!(sum);
        if MINOR >= 1 {
            let mean = (sum.parcels > 0).then(|| sum.pieces as f64 / sum.parcels as f64);
            answer["pieces_per_parcel"] = json!(mean);
        }
        Ok(answer)
    }
}

fn sum(all: impl Iterator<Item = Parcels>) -> Parcels {
    all.fold(Parcels::default(), |sum, one| Parcels {
        parcels: sum.parcels + one.parcels,
        pieces: sum.pieces + one.pieces,
    })
}

#[cfg(not(feature = "v1-1"))]
fermata_stage::export!(Ship<0>);
#[cfg(feature = "v1-1")]
fermata_stage::export!(Ship<1>);
