/**
 * How a histogram spaces its buckets and how fast it forgets. Sources: the Vertical Pod Autoscaler's recommender,
 * https://github.com/kubernetes/autoscaler/blob/55c37cd/vertical-pod-autoscaler/pkg/recommender/util/histogram_options.go
 * and decaying_histogram.go beside it.
 */
export interface HistogramShape {
  /** Width of the first bucket, in the samples' unit; what is smaller falls into it. */
  readonly firstBucket: number;
  /** Each bucket is wider than the one before it by this factor: the relative error of every answer. */
  readonly ratio: number;
  /** Samples that are this much older weigh half. */
  readonly halfLifeSeconds: number;
}

/** Weights beyond it are scaled back, long before a double runs out of exponent. */
const MAX_DECAY_EXPONENT = 100;

/**
 * A histogram over exponentially growing buckets in which older samples weigh less: a sample's weight is
 * `weight * 2^((at - reference) / halfLife)`. Its size does not depend on how many samples it saw.
 */
export class DecayingHistogram {
  readonly #shape: HistogramShape;
  #weights: number[] = [];
  #total = 0;
  #referenceSeconds: number | undefined;

  constructor(shape: HistogramShape) {
    this.#shape = shape;
  }

  /** @throws {RangeError} when the value or the weight is below 0 or no number; sources are checked before */
  add(value: number, weight: number, atSeconds: number): void {
    if (!(value >= 0 && weight >= 0 && Number.isFinite(value + weight + atSeconds))) {
      throw new RangeError(`Cannot add ${value} with weight ${weight} at ${atSeconds} s`);
    }
    const decayed = weight * this.#decayAt(atSeconds);
    const bucket = this.#bucketOf(value);
    while (this.#weights.length <= bucket) this.#weights.push(0);
    this.#weights[bucket] = (this.#weights[bucket] ?? 0) + decayed;
    this.#total += decayed;
  }

  get isEmpty(): boolean {
    return this.#total === 0;
  }

  /**
   * The smallest bucket end below which lies at least `share` of the weight: at most `ratio - 1` above the true
   * percentile, never below it. 0 when there are no samples.
   */
  percentile(share: number): number {
    if (this.isEmpty) return 0;
    const wanted = share * this.#total;
    let below = 0;
    for (const [bucket, weight] of this.#weights.entries()) {
      below += weight;
      // A share of 1 must not run past the last bucket because sums of doubles do not associate.
      if (weight > 0 && below >= wanted * (1 - 1e-9)) return this.#endOf(bucket);
    }
    return this.#endOf(this.#weights.length - 1);
  }

  #bucketOf(value: number): number {
    const { firstBucket, ratio } = this.#shape;
    if (value < firstBucket) return 0;
    return Math.floor(Math.log((value * (ratio - 1)) / firstBucket + 1) / Math.log(ratio));
  }

  #endOf(bucket: number): number {
    const { firstBucket, ratio } = this.#shape;
    return (firstBucket * (ratio ** (bucket + 1) - 1)) / (ratio - 1);
  }

  #decayAt(atSeconds: number): number {
    this.#referenceSeconds ??= atSeconds;
    const exponent = (atSeconds - this.#referenceSeconds) / this.#shape.halfLifeSeconds;
    if (exponent <= MAX_DECAY_EXPONENT) return 2 ** exponent;
    // All weights shrink alike, so no percentile changes.
    const shrink = 2 ** -exponent;
    this.#weights = this.#weights.map((weight) => weight * shrink);
    this.#total *= shrink;
    this.#referenceSeconds = atSeconds;
    return 1;
  }
}
