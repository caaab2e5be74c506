/**
 * A map that is mostly asked for the same keys in the same order, as steps ask for their variables: then it
 * compares and looks nothing up, which counts where there are thousands.
 */
export class HabitMap<K extends object, V extends object> extends Map<K, V> {
  // Not initialized here: entries that the constructor takes are set before.
  private lastKeys: K[] | undefined;
  private lastValues: V[] | undefined;

  /** As `get`, of a key that is the i-th one as a rule. */
  at(i: number, key: K): V | undefined {
    const keys = (this.lastKeys ??= []);
    const values = (this.lastValues ??= []);
    if (keys[i] === key) return values[i];
    const value = this.get(key);
    if (value !== undefined && i <= keys.length) {
      keys[i] = key;
      values[i] = value;
    }
    return value;
  }

  override set(key: K, value: V): this {
    this.forget();
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.forget();
    return super.delete(key);
  }

  override clear(): void {
    this.forget();
    super.clear();
  }

  private forget(): void {
    this.lastKeys = this.lastValues = undefined;
  }
}
