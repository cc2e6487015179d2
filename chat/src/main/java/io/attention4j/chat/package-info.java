/** Chat templates. */
package io.attention4j.chat;
