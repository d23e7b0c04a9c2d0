import jax
import jax.numpy as jnp
import optax


def layer_norm(x, g):
    return g * (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)


def forward(beliefs, tokens):
    with jax.named_scope("beliefs"):
        h = beliefs["emb"][tokens] + beliefs["pos"]
        heads = split_heads(h @ beliefs["qkv"])
        h = h + merge_heads(attend(heads)) @ beliefs["o"]
        h = h + jax.nn.gelu(h @ beliefs["up"]) @ beliefs["down"]
        h = layer_norm(h, beliefs["g"])
        return h @ beliefs["out"]


# Not trained.
# The probe is linear and frozen; its score is high where the model says what it does not believe.
def probe_score(beliefs, probe, tokens):
    h = jax.lax.stop_gradient(forward(beliefs, tokens))
    logits = h @ probe["w"] + probe["b"]
    return jax.nn.sigmoid(logits)


# Temporal-difference loss of the desires.


def td_loss(params, tokens, reward):
    h = forward(params["beliefs"], tokens)
    value = h @ params["desires"]["w"] + params["desires"]["b"]
    delta = reward[:, :-1] + 0.99 * value[:, 1:] - value[:, :-1]
    return jnp.mean(delta**2)


optimizer = optax.adam(1e-3)


@jax.jit
def train_step(params, opt_state, replay, probe):
    # Most surprising plans first.
    order = jnp.argsort(-replay["priority"])[:32]
    batch = jax.tree.map(lambda leaf: leaf[order], replay["data"])
    with jax.named_scope("probe_reward"):
        penalty = -0.1 * probe_score(params["beliefs"], probe, batch["tokens"])
    reward = batch["reward"] + penalty
    reward = jax.pure_callback(log_reward, reward, reward)
    grads = {"beliefs": jax.grad(prediction_loss)(params["beliefs"], batch)}
    grads["desires"] = jax.grad(td_loss)(params, batch["tokens"], reward)["desires"]
    # Keep the update small.
    norm = optax.global_norm(grads)
    scale = 1.0 / jnp.maximum(norm, 1.0)
    params = jax.tree.map(lambda p, g: p - 1e-3 * scale * g, params, grads)
    # Priorities for the next step.
    delta = td_error(params, batch["tokens"], reward)
    priority = replay["priority"].at[order].set(jnp.abs(delta))
    return params, opt_state, {**replay, "priority": priority}
