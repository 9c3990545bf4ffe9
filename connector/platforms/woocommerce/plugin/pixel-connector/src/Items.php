<?php
/**
 * Products in the words of the webhook bodies.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Turns a product or a cart line into an item. The price is the store's own, as shown to the visitor.
 */
final class Items {

	/**
	 * The item of a product or variation; null when there is no such product on sale here.
	 *
	 * @param int $product_id   Product (for variations: the parent).
	 * @param int $variation_id Variation, or 0.
	 * @param int $quantity     Pieces.
	 */
	public static function of_product( int $product_id, int $variation_id = 0, int $quantity = 1 ): ?array {
		$product = $variation_id > 0 ? wc_get_product( $variation_id ) : null;
		if ( ! $product instanceof \WC_Product || $product->get_parent_id() !== $product_id ) {
			$variation_id = 0;
			$product      = $product_id > 0 ? wc_get_product( $product_id ) : null;
		}
		return $product instanceof \WC_Product && 'publish' === $product->get_status() ? self::describe( $product, $product_id, $variation_id, $quantity ) : null;
	}

	/**
	 * The item of a known product.
	 *
	 * @param \WC_Product $product      The product or variation.
	 * @param int         $product_id   Product (for variations: the parent).
	 * @param int         $variation_id Variation, or 0.
	 * @param int         $quantity     Pieces.
	 */
	public static function describe( \WC_Product $product, int $product_id, int $variation_id, int $quantity ): array {
		return array(
			'product_id'   => $product_id,
			'variation_id' => $variation_id,
			'sku'          => (string) $product->get_sku(),
			'name'         => self::plain( (string) $product->get_name() ),
			'price'        => self::price( $product ),
			'currency'     => get_woocommerce_currency(),
			'quantity'     => max( 1, $quantity ),
		);
	}

	/**
	 * The items of cart lines; lines of deleted products are left out.
	 *
	 * @param array $lines Lines with product_id, variation_id, quantity.
	 */
	public static function of_lines( array $lines ): array {
		$items = array();
		foreach ( array_slice( $lines, 0, 20 ) as $line ) {
			$quantity = max( 1, (int) ceil( (float) ( $line['quantity'] ?? 1 ) ) );
			$item     = self::of_product( (int) ( $line['product_id'] ?? 0 ), (int) ( $line['variation_id'] ?? 0 ), $quantity );
			if ( null !== $item ) {
				$items[] = $item;
			}
		}
		return $items;
	}

	/**
	 * What the items cost together, as decimal text.
	 *
	 * @param array $items Items.
	 */
	public static function value( array $items ): string {
		$sum = 0.0;
		foreach ( $items as $item ) {
			$sum += (float) $item['price'] * $item['quantity'];
		}
		return wc_format_decimal( $sum, wc_get_price_decimals() );
	}

	/**
	 * Price of one piece as shown, as decimal text; null for a product without price.
	 *
	 * @param \WC_Product $product Product or variation.
	 */
	private static function price( \WC_Product $product ): ?string {
		if ( '' === (string) $product->get_price() ) {
			return null;
		}
		return wc_format_decimal( wc_get_price_to_display( $product ), wc_get_price_decimals() );
	}

	/**
	 * A name without markup, at most 150 characters.
	 *
	 * @param string $name Product name.
	 */
	private static function plain( string $name ): string {
		return mb_substr( html_entity_decode( wp_strip_all_tags( $name ), ENT_QUOTES, 'UTF-8' ), 0, 150 );
	}
}
