//! Special functions of CHLO, for f64. A narrower float is widened before and rounded after.

macro_rules! signatures { ($($name:ident($($x:ident),*)),* $(,)?) => {$(
    #[allow(missing_docs)]
    pub fn $name($($x: f64),*) -> f64 { todo!() }
)*}; }
signatures!(erf(x), erfc(x), erf_inv(x), lgamma(x), digamma(x), polygamma(n, x), zeta(x, q), bessel_i1e(x));

/// `chlo.next_after` for f32.
pub fn next_after_f32(x: f32, direction: f32) -> f32 {
    todo!()
}
/// `chlo.next_after` for f64.
pub fn next_after_f64(x: f64, direction: f64) -> f64 {
    todo!()
}
