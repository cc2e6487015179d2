package io.attention4j.llm;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;

/**
 * Beginnings of texts that a model has computed, shared between sessions: a radix tree over token
 * ids whose nodes hold sessions (RadixAttention, Zheng et al. 2024, arXiv 2312.07104, section 3). A
 * session {@link #open}ed for a prompt starts with the longest beginning that was {@link #keep
 * kept}; with a paged KV cache its pages are shared and a page is copied only when one side writes
 * to it. What was used least recently goes first when more tokens are kept than asked for.
 *
 * <p>Thread-safe; a session given to {@link #keep} must not be in use by another thread meanwhile.
 */
public final class PrefixCache implements AutoCloseable {
  private final LanguageModel model;
  private final long maxTokens;
  private final Node root = new Node(null, new int[0]);

  /** Nodes with a session, the least recently used first. */
  private final LinkedHashSet<Node> byUse = new LinkedHashSet<>();

  private long tokens;
  private boolean closed;

  /**
   * An empty cache.
   *
   * @param model whose sessions are kept; close this cache before it
   * @param maxTokens most tokens kept, beginnings that texts share counted once; at least 1
   */
  public PrefixCache(LanguageModel model, long maxTokens) {
    this.model = Objects.requireNonNull(model, "model");
    if (maxTokens < 1) {
      throw new IllegalArgumentException("maxTokens is " + maxTokens + "; it must be at least 1");
    }
    this.maxTokens = maxTokens;
  }

  /** Tokens kept, a shared beginning counted once. */
  public synchronized long tokens() {
    return tokens;
  }

  /** Texts kept. */
  public synchronized int size() {
    return byUse.size();
  }

  /**
   * A session that holds the longest kept beginning of a prompt, or an empty one; the caller closes
   * it. {@link Session#generate} of the same prompt computes only what is missing.
   */
  public synchronized Session open(int... prompt) {
    requireOpen();
    Match match = match(prompt);
    if (match.node == root) {
      return model.newSession();
    }
    Node source = match.node.anySession();
    Session session = fork(source, prompt);
    if (session.position() < match.exactDepth) { // a layer that cannot go back half-way
      session.close();
      source = match.exact;
      session = fork(source, prompt);
    }
    use(source);
    return session;
  }

  private static Session fork(Node source, int[] prompt) {
    Session session = source.session.fork();
    boolean ready = false;
    try {
      session.reuse(prompt, 1);
      ready = true;
      return session;
    } finally {
      if (!ready) {
        session.close();
      }
    }
  }

  /**
   * Keeps what a session has computed so far; the session itself goes on as it likes.
   *
   * @return false if it has no tokens or more than this cache may keep
   * @throws IllegalArgumentException if the session belongs to another model
   */
  public synchronized boolean keep(Session session) {
    requireOpen();
    if (session.model() != model) {
      throw new IllegalArgumentException(
          "the session is of "
              + session.model().info().name()
              + ", this cache of "
              + model.info().name()
              + "; keep it in a cache of its own model");
    }
    int[] text = session.tokens();
    if (text.length == 0 || text.length > maxTokens) {
      return false;
    }
    Match match = match(text);
    if (match.exactDepth == text.length) {
      use(match.exact);
      return true;
    }
    Session copy = session.fork();
    Node node = insert(match, text);
    node.session = copy;
    use(node);
    while (tokens > maxTokens) {
      evict();
    }
    return true;
  }

  /** How far a text can be followed. */
  private static final class Match {
    /** The last node on the way; its edge may be followed only in part. */
    Node node;

    /** Tokens in common. */
    int depth;

    /** Tokens of the last node's edge in common. */
    int onEdge;

    /** The last node on the way that has a session and all of whose tokens are in common. */
    Node exact;

    int exactDepth;
  }

  private Match match(int[] text) {
    Match match = new Match();
    match.node = root;
    while (match.depth < text.length && match.onEdge == match.node.edge.length) {
      Node child = match.node.children.get(text[match.depth]);
      if (child == null) {
        break;
      }
      int common =
          Arrays.mismatch(child.edge, 0, child.edge.length, text, match.depth, text.length);
      match.onEdge = common < 0 ? child.edge.length : common;
      match.depth += match.onEdge;
      match.node = child;
      if (match.onEdge == child.edge.length && child.session != null) {
        match.exact = child;
        match.exactDepth = match.depth;
      }
    }
    return match;
  }

  /** The node of a text, with the edges that it needs. */
  private Node insert(Match match, int[] text) {
    Node at = match.node;
    if (match.onEdge < at.edge.length) {
      at = split(at, match.onEdge);
    }
    if (match.depth == text.length) {
      return at;
    }
    Node leaf = new Node(at, Arrays.copyOfRange(text, match.depth, text.length));
    at.children.put(leaf.edge[0], leaf);
    tokens += leaf.edge.length;
    return leaf;
  }

  /** Puts a node in the middle of an edge. */
  private static Node split(Node node, int at) {
    Node middle = new Node(node.parent, Arrays.copyOf(node.edge, at));
    node.parent.children.put(middle.edge[0], middle);
    node.parent = middle;
    node.edge = Arrays.copyOfRange(node.edge, at, node.edge.length);
    middle.children.put(node.edge[0], node);
    return middle;
  }

  private void use(Node node) {
    byUse.remove(node);
    byUse.add(node);
  }

  /** Forgets the leaf used least recently: what it shares stays with the others. */
  private void evict() {
    Node oldest = null;
    for (Node node : byUse) {
      if (node.children.isEmpty()) {
        oldest = node;
        break;
      }
    }
    byUse.remove(oldest);
    oldest.session.close();
    oldest.session = null;
    Node node = oldest;
    while (node != root && node.children.isEmpty() && node.session == null) {
      node.parent.children.remove(node.edge[0]);
      tokens -= node.edge.length;
      node = node.parent;
    }
    if (node != root && node.session == null && node.children.size() == 1) {
      join(node);
    }
  }

  /** Takes a node without a session and with one child out of the way to that child. */
  private static void join(Node node) {
    Node child = node.children.values().iterator().next();
    int[] edge = Arrays.copyOf(node.edge, node.edge.length + child.edge.length);
    System.arraycopy(child.edge, 0, edge, node.edge.length, child.edge.length);
    child.edge = edge;
    child.parent = node.parent;
    node.parent.children.put(edge[0], child);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the prefix cache is closed");
    }
  }

  /** Closes the kept sessions; sessions that were opened stay. Idempotent. */
  @Override
  public synchronized void close() {
    closed = true;
    byUse.forEach(node -> node.session.close());
    byUse.clear();
    root.children.clear();
    tokens = 0;
  }

  /** Tokens from its parent on, and the session that ends with them, if one was kept. */
  private static final class Node {
    final Map<Integer, Node> children = new HashMap<>();
    Node parent;
    int[] edge;
    Session session;

    Node(Node parent, int[] edge) {
      this.parent = parent;
      this.edge = edge;
    }

    /** A session of this node or one below; every leaf has one. */
    Node anySession() {
      Node node = this;
      while (node.session == null) {
        node = node.children.values().iterator().next();
      }
      return node;
    }
  }
}
