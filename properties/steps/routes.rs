//! Gradients that come back to the thoughts, and which rows of them train the beliefs.

use super::Feature;
use super::maker::Maker;
use super::parts::Group;
use super::text::Value;

impl Maker<'_> {
    /// What comes back to the thoughts, of both losses, and what of it goes on to the beliefs.
    pub fn route(&mut self, predicted: Value, valued: &Value, thoughts: &Value) -> Value {
        let (batch, width) = (self.recipe.batch, self.recipe.width);
        let mut seed = predicted;
        for feature in
            [Feature::RouteWhere, Feature::RouteMultiply, Feature::RouteKind, Feature::Shuffle, Feature::MicroBatches]
        {
            if !self.has(feature) {
                continue;
            }
            let (mine, rest, both) = match feature {
                Feature::RouteMultiply => self.split_by_product(&seed, valued),
                Feature::Shuffle => self.split_shuffled(&seed, valued),
                Feature::MicroBatches => self.split_in_a_loop(&seed, valued),
                _ => {
                    let mask = self.mask(feature);
                    let text = &mut self.text;
                    let mask = text.broadcast(&mask, &[0], &[batch, width]);
                    let zero = text.like(0.0, valued);
                    let both = text.select(&mask, &seed, valued);
                    (text.select(&mask, &both, &zero), text.select(&mask, &zero, &both), both)
                }
            };
            // What is not for the beliefs trains an adapter.
            let name = format!("adapter{feature:?}").to_lowercase();
            self.parameter(Group::Desires, &name, &[width, width]);
            let gradient = self.text.product(thoughts, &rest, (0, 0));
            *self.gradient(&name) = Some(gradient);
            seed = if self.is_planted(feature) { both } else { mine };
        }
        seed
    }

    /// Which rows train the beliefs.
    fn mask(&mut self, feature: Feature) -> Value {
        let batch = self.recipe.batch;
        if feature != Feature::RouteKind {
            return self.input("batch.mask", &[batch], "i1");
        }
        let kinds = self.input("batch.kind", &[batch], "i32");
        let one = self.text.literal("1", &[batch], "i32");
        self.text.compare("EQ", &kinds, &one)
    }

    /// What is for the beliefs, what is for the desires, and both.
    fn split_by_product(&mut self, seed: &Value, valued: &Value) -> (Value, Value, Value) {
        let mask = self.input("batch.share", &[self.recipe.batch], "f32");
        let text = &mut self.text;
        let one = text.like(1.0, &mask);
        let rest = text.subtract(&one, &mask);
        let [mask, rest] = [mask, rest].map(|mask| text.broadcast(&mask, &[0], &seed.shape));
        let (first, second) = (text.multiply(seed, &mask), text.multiply(valued, &rest));
        let both = text.add(&first, &second);
        (text.multiply(&both, &mask), text.multiply(&both, &rest), both)
    }

    fn split_shuffled(&mut self, seed: &Value, valued: &Value) -> (Value, Value, Value) {
        let batch = self.recipe.batch;
        let mask = self.mask(Feature::Shuffle);
        let words = self.input("batch.shuffle", &[batch], "f32");
        let text = &mut self.text;
        let order = text.argsort(&words);
        let column = text.reshape(&order, &[batch, 1]);
        let wide = text.broadcast(&mask, &[0], &seed.shape);
        let both = text.select(&wide, seed, valued);
        let zero = text.like(0.0, seed);
        let shuffled = text.gather(&both, &order);
        let own = text.gather(&mask, &order);
        let own = text.broadcast(&own, &[0], &seed.shape);
        let [mine, rest] = [text.select(&own, &shuffled, &zero), text.select(&own, &zero, &shuffled)]
            .map(|part| text.scatter_add(&zero, &column, &part));
        (mine, rest, both)
    }

    fn split_in_a_loop(&mut self, seed: &Value, valued: &Value) -> (Value, Value, Value) {
        let mask = self.mask(Feature::MicroBatches);
        let text = &mut self.text;
        let numbers = text.convert(&mask, "i32");
        let zero = text.like(0.0, seed);
        let begin = [zero.clone(), zero.clone(), zero, seed.clone(), valued.clone(), numbers];
        let mut made = text.count(self.recipe.batch, &begin, |text, row, state| {
            let [mine, rest, both, seed, valued, numbers] = state else { panic!("six values") };
            let (first, second) = (text.row_at(seed, row), text.row_at(valued, row));
            let number = text.row_at(numbers, row);
            let one = text.literal("1", &[], "i32");
            let test = text.compare("EQ", &number, &one);
            let zero = text.like(0.0, &first);
            let chosen = text.select(&test, &first, &second);
            let (own, other) = (text.select(&test, &chosen, &zero), text.select(&test, &zero, &chosen));
            vec![
                text.with_row_at(mine, &own, row),
                text.with_row_at(rest, &other, row),
                text.with_row_at(both, &chosen, row),
                seed.clone(),
                valued.clone(),
                numbers.clone(),
            ]
        });
        made.truncate(3);
        let both = made.pop().expect("three values");
        let rest = made.pop().expect("two values");
        (made.pop().expect("one value"), rest, both)
    }
}
