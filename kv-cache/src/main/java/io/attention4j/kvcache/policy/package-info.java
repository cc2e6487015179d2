/**
 * Policies: which tokens each KV head keeps. A {@link io.attention4j.kvcache.policy.KvPolicy} is
 * its settings, a {@link io.attention4j.kvcache.policy.PolicyState} what it remembers of one layer
 * of one sequence.
 */
package io.attention4j.kvcache.policy;
