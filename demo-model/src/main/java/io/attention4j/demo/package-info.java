/** bard-2.5m: a small Llama trained from scratch on public-domain text, CC0. */
package io.attention4j.demo;
